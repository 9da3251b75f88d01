//! Both JPEG decoders under libFuzzer. `PUNCHLENS_FUZZ_LIBRARY` is `reduced` or `rusty_jpeg`.
#![no_main]

use std::sync::LazyLock;

use fuzzed_jpeg::photo::{JpegLibrary, decode};

static LIBRARY: LazyLock<JpegLibrary> = LazyLock::new(|| {
    let name = std::env::var("PUNCHLENS_FUZZ_LIBRARY").unwrap_or_else(|_| "reduced".to_owned());
    *JpegLibrary::ALL.iter().find(|library| library.name() == name).expect("reduced or rusty_jpeg")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for reduction in [1, 4, 8] {
        let Some(Ok((width, height, rgb, cut_off))) = decode(*LIBRARY, data, reduction) else { continue };
        assert_eq!(rgb.len(), width as usize * height as usize * 3);
        if let Some(cut_off) = cut_off {
            assert!(cut_off.rows <= cut_off.of && cut_off.rows * 10 >= cut_off.of * 9, "{cut_off:?}");
        }
    }
});
