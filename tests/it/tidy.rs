//! The rules of the house, checked on the text of the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each module may name with `crate::`. Imports point down, never up or sideways between edges.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("telemetry", &[]),
    ("photo", &["domain"]),
    ("inference", &["domain"]),
    ("failpoint", &[]),
    ("secrets", &[]),
    ("store", &["domain", "failpoint", "secrets"]),
    ("procore", &["domain", "secrets"]),
    ("simulator", &["domain"]),
    ("fixtures", &["domain"]),
    ("fuzzing", &["domain", "photo", "inference", "procore"]),
    ("evaluation", &["domain", "photo", "inference"]),
    ("pipeline", &["domain", "failpoint", "telemetry", "photo", "inference", "store", "procore"]),
    ("http", &["domain", "failpoint", "telemetry", "store", "procore", "pipeline"]),
    ("config", &["domain", "telemetry", "photo", "inference", "store", "procore", "pipeline", "http"]),
    (
        "app",
        &[
            "domain",
            "secrets",
            "telemetry",
            "photo",
            "inference",
            "store",
            "procore",
            "pipeline",
            "http",
            "config",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "secrets",
            "telemetry",
            "photo",
            "inference",
            "store",
            "procore",
            "pipeline",
            "http",
            "config",
            "app",
            "simulator",
            "fixtures",
            "evaluation",
        ],
    ),
];

/// The files and folders in which a heavy dependency may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("ort", &["inference/session.rs", "inference/runtime.rs"]),
    ("reqwest", &["procore/", "simulator/"]),
    ("sqlx", &["store/"]),
    ("axum", &["http/", "simulator/", "app.rs", "app/"]),
    ("maud", &["http/", "simulator/", "evaluation/page.rs"]),
    ("argon2", &["http/password.rs"]),
    ("rpassword", &["cli/"]),
    ("exif", &["photo/metadata.rs", "photo/metadata/", "photo/sample.rs", "fixtures/exif.rs"]),
    ("roxmltree", &["photo/metadata/xmp.rs"]),
    ("encoding_rs", &["photo/metadata/"]),
    ("flate2", &["photo/metadata/blocks/png.rs"]),
    ("heifer_hevc_dec", &["photo/codec/heic/"]),
    ("heifer_isobmff", &["photo/codec/heic/"]),
    ("rusty_jpeg", &["photo/"]),
    ("image", &["photo/", "fixtures/"]),
    ("fast_image_resize", &["photo/", "inference/"]),
    ("clap", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("prometheus_client", &["telemetry/"]),
];

const LINES_MAX: usize = 400;

/// Files that may be longer, with the length at which they stand. The list only shrinks.
const LONG_FILES: &[(&str, usize)] = &[];

/// Licences that go together with MIT OR Apache-2.0 in one binary.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    // File-level copyleft; used unmodified.
    "MPL-2.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "IJG",
    "BSL-1.0",
    "MIT-0",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Source files below `src` as (path relative to `src`, code without its test module and comments).
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    rust_files(&src)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("readable");
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            (name, code.collect::<Vec<_>>().join("\n"))
        })
        .filter(|(name, _)| !name.contains("/tests"))
        .collect()
}

fn module_of(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

fn fail_on(offences: &[String]) {
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn imports_point_down() {
    let mut offences = Vec::new();
    for (file, code) in sources() {
        let module = module_of(&file);
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            offences.push(format!("src/{file}: module '{module}' has no layer; give it one in LAYERS"));
            continue;
        };
        for (number, line) in code.lines().enumerate() {
            for reference in line.split("crate::").skip(1) {
                let target =
                    reference.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
                if !target.is_empty() && target != module && !allowed.contains(&target) {
                    offences
                        .push(format!("src/{file}:{}: {module} may not name {target}: {line}", number + 1));
                }
            }
            if line.contains("super::super") {
                offences.push(format!("src/{file}:{}: say crate::…, not super::super", number + 1));
            }
        }
    }
    fail_on(&offences);
}

#[test]
fn heavy_dependencies_have_one_home() {
    let mut offences = Vec::new();
    for (file, code) in sources() {
        for (dependency, homes) in HOMES {
            let at_home = homes.iter().any(|home| file.starts_with(home));
            let names_it = code.lines().any(|line| {
                let line = line.trim_start();
                // Modules of ours are called exif too; only a `use` tells the crate from them.
                line.starts_with(&format!("use {dependency}::"))
                    || *dependency != "exif" && mentions(line, dependency)
            });
            if names_it && !at_home {
                offences.push(format!("src/{file} names {dependency}, which lives in {homes:?}"));
            }
        }
    }
    fail_on(&offences);
}

/// Whether `line` has `dependency::` as a path of its own, not as the tail of a longer path or word.
fn mentions(line: &str, dependency: &str) -> bool {
    line.match_indices(&format!("{dependency}::")).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_' || before == ':')
    })
}

#[test]
fn files_stay_short() {
    let mut offences = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(&root().join(folder)) {
            let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
            let lines = fs::read_to_string(&path).expect("readable").lines().count();
            let allowed =
                LONG_FILES.iter().find(|(file, _)| *file == name).map_or(LINES_MAX, |(_, lines)| *lines);
            if lines > allowed {
                offences.push(format!("{name} has {lines} lines, {allowed} are allowed: split it"));
            }
        }
    }
    fail_on(&offences);
}

#[test]
fn nothing_is_left_unfinished() {
    let markers =
        [concat!("FIX", "ME"), concat!("XX", "X"), concat!("to", "do!("), concat!("unimplemen", "ted!(")];
    let mut offences = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&path).expect("readable");
            for marker in markers {
                if text.contains(marker) {
                    offences.push(format!("{}: {marker}", path.display()));
                }
            }
        }
    }
    fail_on(&offences);
}

#[test]
fn no_test_file_is_forgotten() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).expect("readable");
    let mut offences = Vec::new();
    for entry in fs::read_dir(root().join("tests/it")).expect("readable").filter_map(Result::ok) {
        let name = entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_module = entry.path().is_dir() && entry.path().join("mod.rs").exists()
            || entry.path().extension().is_some_and(|extension| extension == "rs");
        if is_module && name != "main" && !main.contains(&format!("mod {name};")) {
            offences.push(format!("tests/it/{name} is not listed in main.rs"));
        }
    }
    fail_on(&offences);
}

#[test]
fn licences_go_together() {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut offences = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("a list") {
        let expression = package["license"].as_str().unwrap_or("none stated");
        if !acceptable(expression) {
            offences.insert(format!("{}: {expression}", package["name"]));
        }
    }
    fail_on(&offences.into_iter().collect::<Vec<_>>());
}

/// Every AND part must offer at least one licence of the list among its OR parts.
fn acceptable(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ").all(|part| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}
