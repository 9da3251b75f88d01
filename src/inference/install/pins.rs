//! Exactly which wheels are fetched, and which of their files are kept.

use super::Build;

/// The pinned version of ONNX Runtime.
pub(super) const VERSION: &str = "1.31.1";

/// The library inside its wheel, and its name in the cache.
pub(super) const LIBRARY: &str = "libonnxruntime.so.1.31.1";
pub(super) const LIBRARY_IN_WHEEL: &str = "onnxruntime/capi/libonnxruntime.so.1.31.1";

/// One wheel: its requirement and the SHA-256 of the file, as the package index lists it.
type Pin = (&'static str, &'static str);

/// The wheels of one build for one kind of machine.
pub(super) struct WheelSet {
    /// `pip`'s names for the platform.
    pub(super) platforms: &'static [&'static str],
    pub(super) wheels: &'static [Pin],
    /// What has to be fetched, for people.
    pub(super) size: &'static str,
}

impl WheelSet {
    /// Lines for `pip`.
    pub(super) fn requirements(&self) -> String {
        let line = |(wheel, sha256): &Pin| format!("{wheel} --hash=sha256:{sha256}");
        self.wheels.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

const X86_64: WheelSet = WheelSet {
    platforms: &["manylinux_2_28_x86_64"],
    wheels: &[("onnxruntime==1.31.1", "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536")],
    size: "24 MB",
};

const AARCH64: WheelSet = WheelSet {
    platforms: &["manylinux_2_28_aarch64"],
    wheels: &[("onnxruntime==1.31.1", "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc")],
    size: "24 MB",
};

/// ONNX Runtime's GPU build and what its extras `cuda` and `cudnn` ask for. `TensorRT` is not among
/// them: its libraries come with the system (`libnvinfer.so.10`).
const X86_64_GPU: WheelSet = WheelSet {
    platforms: &[
        "manylinux_2_28_x86_64",
        "manylinux_2_27_x86_64",
        "manylinux2014_x86_64",
        "manylinux2010_x86_64",
        "manylinux1_x86_64",
    ],
    wheels: &[
        ("onnxruntime-gpu==1.31.1", "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7"),
        ("nvidia-cuda-runtime==13.5.37", "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d"),
        ("nvidia-cuda-nvrtc==13.5.37", "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc"),
        ("nvidia-nvjitlink==13.5.37", "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb"),
        ("nvidia-cublas==13.10.0.20", "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84"),
        ("nvidia-cufft==12.5.0.14", "b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad"),
        ("nvidia-curand==10.4.5.25", "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529"),
        ("nvidia-cudnn-cu13==9.28.1.4", "a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec"),
    ],
    size: "about 1.5 GB",
};

/// The folder below the cache for `build`.
pub(super) fn folder(build: Build) -> String {
    match build {
        Build::Cpu => format!("onnxruntime-{VERSION}"),
        Build::Gpu => format!("onnxruntime-gpu-{VERSION}"),
    }
}

/// What to fetch of `build` for this machine.
pub(super) fn parcel(build: Build) -> Result<WheelSet, String> {
    match (std::env::consts::OS, std::env::consts::ARCH, build) {
        ("linux", "x86_64", Build::Cpu) => Ok(X86_64),
        ("linux", "aarch64", Build::Cpu) => Ok(AARCH64),
        ("linux", "x86_64", Build::Gpu) => Ok(X86_64_GPU),
        (system, machine, _) => Err(format!("no library is pinned for {system} on {machine}")),
    }
}

/// The name under which a file of a wheel is kept, or none: the runtime, its providers, and what lies
/// in the `lib` folders of NVIDIA's wheels.
pub(super) fn library(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let shared = name.starts_with("lib") && name.contains(".so");
    let runtime = path == LIBRARY_IN_WHEEL
        || folder == "onnxruntime/capi" && name.starts_with("libonnxruntime_providers_");
    let nvidia = path.starts_with("nvidia/") && folder.ends_with("/lib");
    (shared && (runtime || nvidia)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_are_kept_and_nothing_leaves_the_folder() {
        let table = [
            (LIBRARY_IN_WHEEL, Some(LIBRARY)),
            ("onnxruntime/capi/libonnxruntime_providers_cuda.so", Some("libonnxruntime_providers_cuda.so")),
            ("nvidia/cu13/lib/libcublasLt.so.13", Some("libcublasLt.so.13")),
            ("nvidia/cudnn/lib/libcudnn.so.9", Some("libcudnn.so.9")),
            ("nvidia/cu13/include/cublas.h", None),
            ("nvidia/cu13/lib/../../../../libevil.so/x", None),
            ("onnxruntime/capi/onnxruntime_pybind11_state.so", None),
            ("libonnxruntime.so", None),
        ];
        for (path, expected) in table {
            assert_eq!(library(path), expected, "{path}");
        }
    }

    #[test]
    fn every_wheel_has_a_hash_of_its_own() {
        for parcel in [X86_64, AARCH64, X86_64_GPU] {
            let requirements = parcel.requirements();
            let hashes: std::collections::BTreeSet<&str> = requirements
                .lines()
                .filter_map(|line| line.split_once(" --hash=sha256:").map(|(_, hash)| hash))
                .filter(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .collect();
            assert_eq!(hashes.len(), parcel.wheels.len(), "{requirements}");
        }
    }
}
