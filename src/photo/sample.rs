//! Small files for tests, made in memory.

use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use rusty_jpeg::{ColorType, Encoder, SamplingFactor};

/// A picture without symmetry: a colour ramp with a dark corner and a bright bar.
pub(super) fn scene(width: u32, height: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let (u, v) = ((x * 255 / width) as u8, (y * 255 / height) as u8);
        match (x < width / 4 && y < height / 4, x > width * 3 / 4) {
            (true, _) => [20, 10, 30],
            (_, true) => [240, v, 200],
            _ => [u, v, 128],
        }
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

/// A JPEG of `rgb`, with the EXIF block `tiff` where there is one.
pub(super) fn jpeg(
    rgb: &[u8],
    width: u16,
    height: u16,
    sampling: SamplingFactor,
    progressive: bool,
    tiff: Option<&[u8]>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.set_sampling_factor(sampling);
    encoder.set_progressive(progressive);
    if let Some(tiff) = tiff {
        encoder.add_exif_metadata(tiff).expect("short enough");
    }
    encoder.encode(rgb, width, height, ColorType::Rgb).expect("encodes");
    bytes
}

/// An EXIF block of `fields`, as it stands in a JPEG after `Exif\0\0`.
pub(super) fn tiff(fields: &[(Tag, Value)], little_endian: bool) -> Vec<u8> {
    let fields: Vec<Field> = fields
        .iter()
        .map(|(tag, value)| Field { tag: *tag, ifd_num: In::PRIMARY, value: value.clone() })
        .collect();
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut block = std::io::Cursor::new(Vec::new());
    writer.write(&mut block, little_endian).expect("writes");
    block.into_inner()
}

/// An EXIF block that holds an orientation only.
pub(super) fn orientation(value: u16) -> Vec<u8> {
    tiff(&[(Tag::Orientation, Value::Short(vec![value]))], false)
}
