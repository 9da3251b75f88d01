//! The way from bytes to an upright picture.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::ImageFormat;

use super::codec::{Raster, heic, jpeg, other};
use super::header::Header;
use super::{Error, Format, JpegLibrary, Limits, header, metadata, resize, turn};
use crate::domain::capture::CaptureInfo;
use crate::domain::geometry::{Orientation, Size, Stored, Upright};
use crate::domain::picture::{CutOff, Picture};

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
    let wanted = long_side.map_or(TargetSize::Full, TargetSize::Exactly);
    contain(|| decode_unguarded(JpegLibrary::in_use(), bytes, limits, wanted))
}

/// As [`decode`], but left as the file's own decoder reduces it: the longer side is about `long_side`
/// or up to twice that. Who resizes it anyway, to one size or several, resizes it once.
///
/// # Errors
/// As [`decode`].
pub fn decode_near(bytes: &[u8], limits: &Limits, long_side: Option<u32>) -> Result<Photo, Error> {
    decode_with(JpegLibrary::in_use(), bytes, limits, long_side)
}

/// As [`decode_near`] with a JPEG library of choice, to hold them against each other.
///
/// # Errors
/// As [`decode`].
pub fn decode_with(
    library: JpegLibrary,
    bytes: &[u8],
    limits: &Limits,
    long_side: Option<u32>,
) -> Result<Photo, Error> {
    contain(|| decode_unguarded(library, bytes, limits, long_side.map_or(TargetSize::Full, TargetSize::Near)))
}

/// The memory that decoding `bytes` for `long_side` takes, estimated from their header; at least what their metadata
/// may take, which is read before.
///
/// # Errors
/// As [`decode`], as far as the header tells.
pub fn decoded_bytes(bytes: &[u8], limits: &Limits, long_side: Option<u32>) -> Result<u64, Error> {
    let header = header::read(bytes, limits)?;
    Ok(header.memory(reduction(&header, long_side)).max(metadata::MEMORY_MAX))
}

/// How large the pixels are wanted.
#[derive(Debug, Clone, Copy)]
enum TargetSize {
    Full,
    Exactly(u32),
    Near(u32),
}

impl TargetSize {
    fn long_side(self) -> Option<u32> {
        match self {
            Self::Full => None,
            Self::Exactly(long_side) | Self::Near(long_side) => Some(long_side),
        }
    }

    /// The size to bring a raster of `width` by `height` to, of a file of size `stored`.
    fn size(self, stored: Size<Stored>, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Exactly(long_side) => resize::fit(stored.width, stored.height, long_side),
            // Formats that do not reduce while they decode.
            Self::Near(long_side) if width.max(height) / 2 >= long_side => {
                resize::fit(stored.width, stored.height, long_side)
            }
            Self::Full | Self::Near(_) => (width, height),
        }
    }
}

/// Runs a decoder; if it panics, that is the file's fault and not the process's end.
fn contain<T>(decoder: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(decoder)).unwrap_or_else(|_| {
        tracing::warn!("a decoder panicked; the photo counts as damaged");
        Err(Error::broken("its decoder gave up on it"))
    })
}

fn decode_unguarded(
    library: JpegLibrary,
    bytes: &[u8],
    limits: &Limits,
    wanted: TargetSize,
) -> Result<Photo, Error> {
    let header = header::read(bytes, limits)?;
    let mut capture = metadata::read(bytes);
    let orientation = match header.format {
        // The container says how to turn, and its decoder does so. EXIF only repeats it, and where it does not, phones
        // follow the container.
        Format::Heic => Orientation::Normal,
        _ => capture.orientation_or_normal(),
    };
    let raster;
    (raster, capture.cut_off) = pixels(library, bytes, &header, limits, wanted.long_side())?;
    let stored = header.stored;
    let to = wanted.size(stored, raster.width, raster.height);
    let small = resize::resize(raster.rgb, (raster.width, raster.height), to);
    let (rgb, width, height) = turn::upright(small, to.0, to.1, orientation);
    let size = orientation.upright(stored);
    let picture = Picture::new(Size::new(width, height), size, rgb)
        .map_err(|error| Error::broken(error.to_string()))?;
    Ok(Photo { format: header.format, size, stored, capture, picture })
}

fn pixels(
    library: JpegLibrary,
    bytes: &[u8],
    header: &Header,
    limits: &Limits,
    long_side: Option<u32>,
) -> Result<(Raster, Option<CutOff>), Error> {
    let reduction = reduction(header, long_side);
    header.check_memory(reduction, limits)?;
    let (raster, cut_off) = match header.format {
        Format::Jpeg => jpeg::decode(library, bytes, header.stored, reduction)?,
        Format::Png => (other::decode(bytes, ImageFormat::Png, limits)?, None),
        Format::WebP => (other::decode(bytes, ImageFormat::WebP, limits)?, None),
        Format::Heic => (heic::decode(bytes, reduction)?, None),
    };
    let expected = (header.stored.width.div_ceil(reduction), header.stored.height.div_ceil(reduction));
    if (raster.width, raster.height) == expected {
        Ok((raster, cut_off))
    } else {
        Err(Error::broken("its pixels are not as many as its header says"))
    }
}

/// The reduction with which a file's own decoder serves `long_side`.
fn reduction(header: &Header, long_side: Option<u32>) -> u32 {
    match header.format {
        // HEIC as strongly as JPEG, so that the model sees the same of the same photo.
        Format::Jpeg | Format::Heic => jpeg::reduction(header.stored, long_side),
        Format::Png | Format::WebP => 1,
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
    fn a_photo_near_a_size_is_not_resized_after_its_decoder() {
        let limits = Limits::shipped();
        let file = plain(1000, 752, Some(&sample::orientation(6)));
        let near = |long_side| decode_near(&file, &limits, long_side).expect("decodes");
        let table = [
            (None, 1000),
            (Some(600), 1000),
            (Some(500), 500),
            (Some(512), 500),
            (Some(260), 500),
            (Some(120), 125),
        ];
        for (long_side, expected) in table {
            let photo = near(long_side);
            assert_eq!(photo.picture.size(), Size::new(expected * 752 / 1000, expected), "{long_side:?}");
            assert_eq!(photo.size, Size::new(752, 1000));
        }
        let header = header::read(&file, &limits).expect("a header");
        let decoded = |long_side| header.memory(reduction(&header, long_side));
        assert_eq!((decoded(None), decoded(Some(500))), (1000 * 752 * 6, 500 * 376 * 6));
        assert_eq!(decoded_bytes(&file, &limits, Some(500)), Ok(metadata::MEMORY_MAX));
        let mut png = std::io::Cursor::new(Vec::new());
        let picture = image::RgbImage::from_raw(96, 64, sample::scene(96, 64)).expect("sized");
        picture.write_to(&mut png, ImageFormat::Png).expect("encodes");
        for (long_side, expected) in [(96, 96), (49, 96), (48, 48), (10, 10)] {
            let photo = decode_near(png.get_ref(), &limits, Some(long_side)).expect("decodes");
            assert_eq!(photo.picture.size().long_side(), expected);
        }
    }

    #[test]
    fn all_jpeg_libraries_of_this_build_see_the_same() {
        let (limits, rgb) = (Limits::shipped(), sample::scene(1000, 752));
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_2_2] {
            for progressive in [false, true] {
                let file =
                    sample::jpeg(&rgb, 1000, 752, sampling, progressive, Some(&sample::orientation(8)));
                for long_side in [None, Some(500), Some(250), Some(125)] {
                    let look = |&library| decode_with(library, &file, &limits, long_side).expect("decodes");
                    let photos: Vec<Photo> = JpegLibrary::ALL.iter().map(look).collect();
                    for photo in &photos {
                        let difference = mean_difference(photo.picture.rgb(), photos[0].picture.rgb());
                        assert!(difference < 1.5, "{long_side:?} {sampling:?} {progressive}: {difference}");
                    }
                }
                for &library in JpegLibrary::ALL {
                    let cut = &file[..file.len() / 2];
                    let error = decode_with(library, cut, &limits, Some(125)).expect_err("cut off");
                    assert_eq!(error.code(), "broken", "{library:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_missing_of_a_photo_is_known() {
        let (limits, file) = (Limits::shipped(), plain(320, 400, Some(&sample::orientation(6))));
        let whole =
            decode(&file[..file.len() - 2], &limits, Some(100)).expect("only the end marker is missing");
        assert_eq!(whole.capture.cut_off, None);
        let cut = decode(&file[..file.len() * 98 / 100], &limits, Some(100)).expect("decodes");
        let CutOff { rows, of } = cut.capture.cut_off.expect("known");
        assert!(of == 400 && (360..400).contains(&rows), "{rows} of {of}");
        assert_eq!((cut.size, cut.picture.size()), (whole.size, whole.picture.size()));
        let error = decode(&file[..file.len() * 3 / 4], &limits, Some(100)).expect_err("too little");
        assert!(error.code() == "broken" && error.to_string().contains("of its 400 rows"), "{error}");
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
