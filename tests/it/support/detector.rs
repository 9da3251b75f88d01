//! A detector that says what it is told to, so that journeys do not depend on a model.

use std::sync::Arc;

use punchlens::domain::detection::{ClassScore, DefectClass, Detection, Predictions};
use punchlens::domain::geometry::{PixelBox, Size};
use punchlens::domain::ids::Sha256Digest;
use punchlens::domain::picture::Picture;
use punchlens::domain::score::Score;
use punchlens::domain::thoroughness::Thoroughness;
use punchlens::inference::manifest::{Calibration, Class, DataStatus, Licence, Precision};
use punchlens::inference::{
    ClassInfo, Detector, Error, ModelInfo, ModelOutput, Provider, ProviderReport, ScoreMap, Timings,
};

/// Sees the given classes in the middle of every photo whose first pixel is dark, nothing in the others.
pub(crate) struct Scripted {
    info: ModelInfo,
    classes: Vec<&'static str>,
}

/// A detector that sees `classes` in dark photos.
pub(crate) fn sees(classes: &[&'static str]) -> Arc<dyn Detector> {
    let class = |name: &&str| ClassInfo {
        name: (*name).to_owned(),
        threshold: 0.5,
        experimental: false,
        reported: true,
    };
    let info = ModelInfo {
        name: "scripted".into(),
        version: "1".into(),
        summary: "says what it is told to".into(),
        sha256: Sha256Digest::of(b"scripted"),
        precision: Precision::Fp32,
        origin: "tests".into(),
        provider: ProviderReport { asked: Provider::Cpu, got: Provider::Cpu, why: "scripted".into() },
        runtime: "none".into(),
        sessions: 1,
        classes: classes.iter().map(class).collect(),
        licence: Licence {
            weights: "none".into(),
            training_data: DataStatus::Open,
            statement: "has no weights".into(),
        },
    };
    Arc::new(Scripted { info, classes: classes.to_vec() })
}

impl Detector for Scripted {
    fn model(&self) -> &ModelInfo {
        &self.info
    }

    fn long_side(&self) -> u32 {
        64
    }

    fn detect(&self, picture: &Picture, _: Thoroughness) -> Result<ModelOutput, Error> {
        let dark = picture.rgb()[0] < 128;
        let (width, height) = (picture.photo().width as f32, picture.photo().height as f32);
        let area = PixelBox::new(width * 0.25, height * 0.25, width * 0.75, height * 0.5).expect("a box");
        let score = Score::new(0.9).expect("a score");
        let see =
            |name: &&'static str| Detection { class: DefectClass::new(name), score, area, area_share: 0.125 };
        let detections = if dark { self.classes.iter().map(see).collect() } else { Vec::new() };
        let class_scores =
            self.classes.iter().map(|name| ClassScore { class: DefectClass::new(name), score }).collect();
        let score_map = Some(self.score_map());
        Ok(ModelOutput {
            seen: Predictions { detections, class_scores },
            timings: Timings::default(),
            score_map,
        })
    }
}

impl Scripted {
    /// Sure of every class where the detection is, and of none elsewhere: eight cells across, four down.
    fn score_map(&self) -> ScoreMap {
        let class = |name: &&str| Class {
            name: (*name).to_owned(),
            threshold: 0.5,
            threshold_rule: "scripted".into(),
            cell_threshold: Some(0.0),
            min_cells: Some(1),
            calibration: Calibration { scale: 1.0, offset: 0.0 },
            experimental: false,
        };
        let classes: Vec<Class> = self.classes.iter().map(class).collect();
        let logit = |at: usize| if at / 8 == 1 && (2..6).contains(&(at % 8)) { 9.0 } else { -9.0 };
        let logits = classes.iter().flat_map(|_| (0..32).map(logit)).collect();
        ScoreMap::new((8, 4), 16, Size::new(128, 64), logits, &classes)
    }
}

/// A small JPEG, dark (with something to see) or bright; `salt` makes its bytes its own.
pub(crate) fn photo(dark: bool, salt: u8) -> Vec<u8> {
    speckled(salt, (96, 64), |_| [shade(dark); 3])
}

/// The same as large as a phone's.
pub(crate) fn large_photo(dark: bool, width: u32, height: u32) -> Vec<u8> {
    speckled(1, (width, height), |_| [shade(dark); 3])
}

/// A small JPEG with something to see, dark on the left and of another `colour` on the right.
pub(crate) fn photo_of(salt: u8, colour: [u8; 3]) -> Vec<u8> {
    speckled(salt, (96, 64), |x| if x < 32 { [shade(true); 3] } else { colour })
}

const fn shade(dark: bool) -> u8 {
    if dark { 40 } else { 220 }
}

fn speckled(salt: u8, (width, height): (u32, u32), colour: impl Fn(u32) -> [u8; 3]) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(width, height, |x, y| {
        let speck = ((x * 7 + y * 13 + u32::from(salt) * 31) % 17) as u8;
        let [red, green, blue] = colour(x);
        image::Rgb([red + speck, green, blue])
    });
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
        .encode_image(&pixels)
        .expect("encodes");
    bytes
}

/// A dark wall with a pattern of its own, by which it is recognised; `quality` is the JPEG's.
pub(crate) fn wall(pattern: u64, quality: u8) -> Vec<u8> {
    // Squares of grey by a fixed scramble of pattern and place.
    let shade = |x: u32, y: u32| {
        let mut mixed = (u64::from(x / 16) << 32 | u64::from(y / 12)).wrapping_add(pattern << 17);
        for _ in 0..3 {
            mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        }
        20 + ((mixed >> 57) as u8 & 0x3F)
    };
    let pixels = image::RgbImage::from_fn(320, 240, |x, y| image::Rgb([shade(x, y); 3]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(&pixels)
        .expect("encodes");
    bytes
}
