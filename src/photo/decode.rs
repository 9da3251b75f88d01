//! The way from bytes to an upright picture.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::ImageFormat;

use super::codec::{Raster, heic, jpeg, other};
use super::header::Header;
use super::{Error, Format, Limits, exif, header, resize, turn};
use crate::domain::capture::CaptureInfo;
use crate::domain::geometry::{Orientation, Size, Stored, Upright};
use crate::domain::picture::Picture;

/// A decoded photo.
#[derive(Debug, Clone)]
pub struct Photo {
    /// What kind of file it was.
    pub format: Format,
    /// Full size, the way a person looks at it.
    pub size: Size<Upright>,
    /// Full size as stored in the file.
    pub stored: Size<Stored>,
    /// What it says of its own making.
    pub capture: CaptureInfo,
    /// Its pixels, upright, reduced as asked.
    pub picture: Picture,
}

/// Decodes `bytes`, upright and with the longer side reduced to `long_side` pixels; never enlarged.
/// `None` keeps the full size.
///
/// # Errors
/// [`Error::TooLarge`] before anything of the declared size is allocated; [`Error::Unsupported`]
/// and [`Error::Broken`] as the file deserves, a panic inside a codec included.
pub fn decode(bytes: &[u8], limits: &Limits, long_side: Option<u32>) -> Result<Photo, Error> {
    contain(|| decode_unguarded(bytes, limits, long_side))
}

/// Runs a decoder; if it panics, that is the file's fault and not the process's end.
fn contain<T>(decoder: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(decoder)).unwrap_or_else(|_| {
        tracing::warn!("a decoder panicked; the photo counts as damaged");
        Err(Error::broken("its decoder gave up on it"))
    })
}

fn decode_unguarded(bytes: &[u8], limits: &Limits, long_side: Option<u32>) -> Result<Photo, Error> {
    let header = header::read(bytes, limits)?;
    let capture = exif::read(bytes);
    let orientation = match header.format {
        // The container says how to turn, and its decoder has done so: EXIF only repeats it.
        Format::Heic => Orientation::Normal,
        _ => capture.orientation_or_normal(),
    };
    let raster = raster(bytes, &header, limits, long_side)?;
    let stored = header.stored;
    let to = match long_side {
        Some(long_side) => resize::fit(stored.width, stored.height, long_side),
        None => (stored.width, stored.height),
    };
    let small = resize::resize(raster.rgb, (raster.width, raster.height), to);
    let (rgb, width, height) = turn::upright(small, to.0, to.1, orientation);
    let size = orientation.upright(stored);
    let picture = Picture::new(Size::new(width, height), size, rgb)
        .map_err(|error| Error::broken(error.to_string()))?;
    Ok(Photo { format: header.format, size, stored, capture, picture })
}

fn raster(bytes: &[u8], header: &Header, limits: &Limits, long_side: Option<u32>) -> Result<Raster, Error> {
    let reduction = match header.format {
        Format::Jpeg => jpeg::reduction(header.stored, long_side),
        _ => 1,
    };
    header.check_memory(reduction, limits)?;
    let raster = match header.format {
        Format::Jpeg => jpeg::decode(bytes, header.stored, reduction),
        Format::Png => other::decode(bytes, ImageFormat::Png, limits),
        Format::WebP => other::decode(bytes, ImageFormat::WebP, limits),
        Format::Heic => heic::decode(bytes, limits),
    }?;
    let expected = (header.stored.width.div_ceil(reduction), header.stored.height.div_ceil(reduction));
    if (raster.width, raster.height) == expected {
        Ok(raster)
    } else {
        Err(Error::broken("its pixels are not as many as its header says"))
    }
}

#[cfg(test)]
mod tests {
    use rusty_jpeg::SamplingFactor;

    use super::*;
    use crate::domain::capture::Known;
    use crate::photo::sample;

    fn plain(width: u16, height: u16, tiff: Option<&[u8]>) -> Vec<u8> {
        let rgb = sample::scene(width.into(), height.into());
        sample::jpeg(&rgb, width, height, SamplingFactor::F_1_1, false, tiff)
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
        assert_eq!(a.len(), b.len());
        let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / a.len() as f64
    }

    /// The stored pixels of an upright `rgb`: turning is undone by the inverse orientation.
    fn stored_as(rgb: &[u8], width: u32, height: u32, orientation: Orientation) -> (Vec<u8>, u32, u32) {
        let inverse = match orientation {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            own => own,
        };
        turn::upright(rgb.to_vec(), width, height, inverse)
    }

    #[test]
    fn all_orientations_show_the_same_upright_picture() {
        let limits = Limits::shipped();
        let rgb = sample::scene(320, 200);
        let expected = decode(&plain(320, 200, None), &limits, Some(160)).expect("decodes").picture;
        for orientation in Orientation::ALL {
            let (stored, w, h) = stored_as(&rgb, 320, 200, orientation);
            let tiff = sample::orientation(u8::from(orientation).into());
            let file = sample::jpeg(&stored, w as u16, h as u16, SamplingFactor::F_1_1, false, Some(&tiff));
            let photo = decode(&file, &limits, Some(160)).expect("decodes");
            assert_eq!(photo.capture.orientation, Known::Known(orientation));
            assert_eq!((photo.size, photo.stored), (Size::new(320, 200), Size::new(w, h)));
            assert_eq!(photo.picture.size(), Size::new(160, 100));
            let difference = mean_difference(photo.picture.rgb(), expected.rgb());
            assert!(difference < 1.0, "{orientation:?}: {difference}");
        }
    }

    #[test]
    fn reduced_decoding_looks_like_full_decoding_reduced() {
        let limits = Limits::shipped();
        let rgb = sample::scene(1000, 752);
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_2_2] {
            for progressive in [false, true] {
                let file = sample::jpeg(&rgb, 1000, 752, sampling, progressive, None);
                let full = decode(&file, &limits, None).expect("decodes").picture.into_rgb();
                let reference = image::load_from_memory(&file).expect("decodes").into_rgb8().into_raw();
                assert!(mean_difference(&full, &reference) < 1.0, "full {sampling:?} {progressive}");
                for long_side in [1000, 500, 333, 250, 125, 100, 7] {
                    let small = decode(&file, &limits, Some(long_side)).expect("decodes").picture;
                    let to = resize::fit(1000, 752, long_side);
                    assert_eq!(small.size(), Size::new(to.0, to.1));
                    let expected = resize::resized(&reference, (1000, 752), to);
                    let difference = mean_difference(small.rgb(), &expected);
                    assert!(difference < 2.5, "{long_side} {sampling:?} {progressive}: {difference}");
                }
            }
        }
    }

    #[test]
    fn other_formats_give_the_same_pixels() {
        let (limits, rgb) = (Limits::shipped(), sample::scene(96, 64));
        let picture = image::RgbImage::from_raw(96, 64, rgb.clone()).expect("sized");
        for (format, kind) in [(ImageFormat::Png, Format::Png), (ImageFormat::WebP, Format::WebP)] {
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut bytes, format).expect("encodes");
            let photo = decode(bytes.get_ref(), &limits, None).expect("decodes");
            assert_eq!((photo.format, photo.picture.rgb()), (kind, rgb.as_slice()));
            let cut = &bytes.get_ref()[..bytes.get_ref().len() / 2];
            assert_eq!(decode(cut, &limits, None).expect_err("cut off").code(), "broken");
        }
    }

    #[test]
    fn what_asks_for_too_much_is_refused_by_its_header() {
        let file = plain(320, 200, None);
        let shipped = Limits::shipped();
        let table = [
            ("max_bytes", Limits { max_bytes: 100, ..shipped.clone() }),
            ("max_side", Limits { max_side: 319, ..shipped.clone() }),
            ("max_pixels", Limits { max_pixels: 63_999, ..shipped.clone() }),
            ("max_decoded_bytes", Limits { max_decoded_bytes: 320 * 200 * 6 - 1, ..shipped.clone() }),
        ];
        for (expected, limits) in table {
            match decode(&file, &limits, None) {
                Err(Error::TooLarge { key, got, limit, .. }) => assert!(key == expected && got > limit),
                other => panic!("{expected}: {other:?}"),
            }
        }
        let progressive = sample::jpeg(&sample::scene(64, 64), 64, 64, SamplingFactor::F_1_1, true, None);
        let error = decode(&progressive, &Limits { max_scans: 1, ..shipped }, None).expect_err("refused");
        assert!(error.to_string().contains("max_scans"), "{error}");
    }

    #[test]
    fn every_cut_and_many_flips_give_an_answer() {
        let limits = Limits::shipped();
        let file = plain(64, 48, Some(&sample::orientation(6)));
        for length in 0..file.len() {
            if let Ok(photo) = decode(&file[..length], &limits, Some(32)) {
                assert!(length + 8 > file.len(), "cut at {length} of {}: {photo:?}", file.len());
            }
        }
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 0x55;
            if let Ok(photo) = decode(&flipped, &limits, Some(32)) {
                assert_eq!(photo.picture.size().long_side(), photo.size.long_side().min(32));
            }
        }
    }

    #[test]
    fn a_panic_is_the_files_fault() {
        let contained = contain::<()>(|| panic!("a decoder's own bug"));
        assert_eq!(contained.expect_err("contained").code(), "broken");
    }
}
