//! Everything that reads what strangers send, as functions of bytes: what must hold whatever arrives.
//!
//! `cargo test` replays the corpora in `fixtures/fuzz` through these; `tests/fuzz/run` runs them coverage-guided.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::domain::capture::{CaptureInfo, GpsFix};
use crate::domain::event::{RoutingPolicy, route};
use crate::domain::geometry::Size;
use crate::domain::ids::{CompanyId, ProjectId, ProjectKey, UserId};
use crate::domain::site::Site;
use crate::inference::decode_output::{DetrLayout, EndToEndLayout, OutputLayout, Tensor, YoloLayout};
use crate::inference::manifest::Manifest;
use crate::inference::preprocess::View;
use crate::photo::{self, Limits};
use crate::procore::webhook;

/// A function that must hold for any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder with its corpus.
    pub name: &'static str,
    /// It panics when something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "webhook", run: webhook_body },
    Target { name: "exif", run: exif },
    Target { name: "decode", run: decode },
    Target { name: "manifest", run: manifest },
    Target { name: "model_output", run: model_output },
    Target { name: "site", run: site },
];

const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

/// Longest key under which a delivery is known.
const KEY_MAX: usize = 80;

fn webhook_body(data: &[u8]) {
    let parsed = webhook::parse(data);
    assert_ne!(parsed.event.is_some(), parsed.note.is_some(), "an event, or why there is none");
    assert!(!parsed.dedupe_key.is_empty() && parsed.dedupe_key.len() <= KEY_MAX, "{}", parsed.dedupe_key);
    assert_eq!(parsed, webhook::parse(data), "the same body is the same delivery");
    if let Some(event) = parsed.event {
        let own_user = Some(UserId::new(777));
        let _ = route(&event, &RoutingPolicy { permitted: &[PROJECT], own_user, own_application: "client" });
    }
}

/// The bytes as a file, and as the EXIF block, the XMP packet and the IPTC records of a JPEG.
fn exif(data: &[u8]) {
    on_the_globe(&photo::metadata::read(data));
    let resource =
        [b"Photoshop 3.0\08BIM\x04\x04\0\0".as_slice(), &(data.len() as u32).to_be_bytes()].concat();
    let segments: [(u8, &[u8]); 3] =
        [(0xE1, b"Exif\0\0"), (0xE1, b"http://ns.adobe.com/xap/1.0/\0"), (0xED, &resource)];
    for (marker, header) in segments {
        let Ok(length) = u16::try_from(data.len() + header.len() + 2) else { continue };
        let parts = [&[0xFF, 0xD8, 0xFF, marker], &length.to_be_bytes()[..], header, data, &[0xFF, 0xD9]];
        on_the_globe(&photo::metadata::read(&parts.concat()));
    }
}

fn on_the_globe(capture: &CaptureInfo) {
    if let Some(GpsFix { latitude, longitude, .. }) = capture.gps.as_option() {
        assert!((-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude), "off the globe");
    }
    assert_eq!(capture.gps.as_option().is_some(), capture.origins.gps.is_some(), "a position has an origin");
    assert_eq!(
        capture.taken_at.as_option().is_some(),
        capture.origins.taken_at.is_some(),
        "a time has an origin"
    );
}

/// Small limits, so that time goes into many files instead of large ones.
static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits {
    max_pixels: 1 << 20,
    max_decoded_bytes: 16 << 20,
    max_scans: 20,
    ..Limits::shipped()
});

fn decode(data: &[u8]) {
    let limits = &*LIMITS;
    let Ok(photo) = photo::decode(data, limits, Some(64)) else { return };
    let size = photo.picture.size();
    assert!(
        size.long_side() <= 64 && photo.size.pixels() <= limits.max_pixels,
        "{size:?} of {:?}",
        photo.size
    );
    assert_eq!(photo.picture.rgb().len() as u64, size.pixels() * 3, "three bytes a pixel");
}

fn manifest(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(manifest) = Manifest::parse(text)
    {
        assert!(!manifest.classes.is_empty(), "a model without classes finds nothing");
        assert!(manifest.input.long_side() > 0, "a picture without pixels shows nothing");
    }
}

static SHIPPED: LazyLock<Manifest> = LazyLock::new(|| {
    Manifest::parse(include_str!("../models/finish-defects/manifest.toml"))
        .expect("the shipped manifest parses")
});

/// Two bytes for the grid, the rest numbers: NaN, infinities and all.
fn model_output(data: &[u8]) {
    let shipped = &*SHIPPED;
    let [across, down, values @ ..] = data else { return };
    let (across, down) = (usize::from(across % 32) + 1, usize::from(down % 32) + 1);
    let classes = shipped.classes.len();
    let mut values: Vec<f32> =
        values.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    // Also tensors that are too short: the decoder must say so.
    if !values.is_empty() && !data.len().is_multiple_of(3) {
        values = values.iter().copied().cycle().take(across * down * classes).collect();
    }
    let (width, height) = (across as u32 * 16, down as u32 * 16);
    let view = || View {
        width,
        height,
        left: 0,
        top: 0,
        padded_width: width,
        padded_height: height,
        tensor: Vec::new(),
    };
    let photo = Size::new(width * 4, height * 4);
    let map = Tensor { shape: vec![1, classes, down, across], values: values.clone() };
    for (layout, tensors) in
        std::iter::once((shipped.output.clone(), vec![map])).chain(boxes(&values, classes))
    {
        let decoded = layout.decode(&[(view(), tensors)], &shipped.classes, &HashSet::new(), photo);
        let Ok((seen, _)) = decoded else { continue };
        for detection in seen.detections {
            assert!((0.0..=1.0).contains(&detection.score.value()), "{:?}", detection.score);
            let [left, top, right, bottom] = detection.area.corners();
            assert!(left >= 0.0 && top >= 0.0, "{left} {top}");
            assert!(
                right <= photo.width as f32 + 0.5 && bottom <= photo.height as f32 + 0.5,
                "{right} {bottom}"
            );
        }
    }
}

/// The same numbers as boxes, in each layout that has them.
fn boxes(values: &[f32], classes: usize) -> [(OutputLayout, Vec<Tensor>); 3] {
    let tensor = |across: usize, wide_last: bool| {
        let along = values.len() / across;
        let shape = if wide_last { vec![1, along, across] } else { vec![1, across, along] };
        Tensor { shape, values: values[..along * across].to_vec() }
    };
    let (name, max_boxes) = ("boxes".to_owned(), 50);
    let yolo = YoloLayout { name: name.clone(), objectness: false, iou: 0.5, max_boxes };
    let detr = DetrLayout { logits: "logits".to_owned(), boxes: name.clone(), max_boxes };
    let logits = tensor(classes, true);
    let own = Tensor {
        shape: vec![1, logits.shape[1], 4],
        values: values.iter().copied().cycle().take(4 * logits.shape[1]).collect(),
    };
    [
        (OutputLayout::Yolo(yolo), vec![tensor(4 + classes, false)]),
        (OutputLayout::YoloEndToEnd(EndToEndLayout { name, max_boxes }), vec![tensor(6, true)]),
        (OutputLayout::Detr(detr), vec![logits, own]),
    ]
}

fn site(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(site) = Site::parse(text) else { return };
    assert!(!site.is_empty(), "a site file without areas is refused");
    let fix = GpsFix {
        latitude: 52.5,
        longitude: 13.4,
        altitude_m: Some(40.0),
        accuracy_m: Some(5.0),
        direction_deg: None,
    };
    let _ = site.locate(&fix, 5.0, 3.0);
}
