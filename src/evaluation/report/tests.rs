//! Counts made by hand.

use super::*;
use crate::domain::geometry::Size;
use crate::evaluation::labels::{Rules, parse};
use crate::evaluation::look::ClassResult;
use crate::evaluation::pick;
use crate::inference::manifest::Licence;
use crate::inference::{ProviderReport, Timings};

fn model() -> ModelInfo {
    let class = |name: &str, experimental| ClassInfo {
        name: name.into(),
        threshold: 0.5,
        experimental,
        reported: !experimental,
    };
    ModelInfo {
        name: "made-up".into(),
        version: "1".into(),
        summary: String::new(),
        sha256: Sha256Digest::of(b"made up"),
        precision: Precision::Fp32,
        origin: String::new(),
        provider: ProviderReport { asked: Provider::Cpu, got: Provider::Cpu, why: String::new() },
        runtime: String::new(),
        sessions: 1,
        classes: vec![class("crack", false), class("spalling", false), class("corrosion", true)],
        licence: Licence {
            weights: String::new(),
            training_data: DataStatus::Open,
            statement: String::new(),
        },
    }
}

fn looked(scores: [f32; 3]) -> PictureResult {
    PictureResult {
        size: Size::new(100, 100),
        classes: scores.map(|score| ClassResult { score, boxes: None, cells: None }).to_vec(),
        found: Vec::new(),
        decode: Duration::ZERO,
        timings: Timings::default(),
    }
}

fn ended_early(looked: PictureResult) -> PictureResult {
    PictureResult { timings: Timings { ended_early: true, ..looked.timings }, ..looked }
}

/// Four tiles of one source and rooms of another, scored by hand.
struct Scored {
    model: ModelInfo,
    rows: Vec<Row>,
    looked: Vec<Result<PictureResult, String>>,
}

impl Scored {
    fn by_hand() -> Self {
        let lines = concat!(
            "{\"image\": \"0\", \"source\": \"tiles\", \"labels\": [\"crack\"]}\n",
            "{\"image\": \"1\", \"source\": \"tiles\", \"labels\": [\"crack\", \"corrosion\"]}\n",
            "{\"image\": \"2\", \"source\": \"tiles\", \"labels\": [\"spalling\"]}\n",
            "{\"image\": \"3\", \"source\": \"tiles\", \"labels\": []}\n",
            "{\"image\": \"4\", \"source\": \"rooms\", \"labels\": []}\n",
            "{\"image\": \"5\", \"source\": \"rooms\", \"labels\": []}\n",
        );
        let looked = vec![
            Ok(looked([0.9, 0.1, 0.0])),
            Ok(looked([0.3, 0.2, 0.9])),
            Ok(looked([0.2, 0.8, 0.0])),
            Ok(looked([0.6, 0.1, 0.0])),
            Ok(ended_early(looked([0.1, 0.1, 0.7]))),
            Err("it is gone".to_owned()),
        ];
        let rows = parse(lines, std::path::Path::new(""), &Rules::default()).expect("rows");
        Self { model: model(), rows, looked }
    }

    fn run(&self) -> Run<'_> {
        Run {
            manifest: "set/manifest.jsonl".into(),
            split: "val".into(),
            model: &self.model,
            mode: Thoroughness::Standard,
            coarse_to_fine: true,
            rows: &self.rows,
            looked: &self.looked,
            took: Duration::from_secs(2),
        }
    }
}

/// A report for tests of how it is shown.
pub(crate) fn report() -> Report {
    Scored::by_hand().run().report()
}

#[test]
fn what_is_counted_for_whom() {
    let report = report();
    assert_eq!((report.pictures, report.failed.len()), (5, 1));
    let how = &report.looked;
    assert_eq!((how.mode, how.coarse_to_fine, how.ended_early), (Thoroughness::Standard, true, 1));
    assert_eq!(how.experimental_classes, [""; 0]);
    let tiles = &report.sources["tiles"];
    let crack = &tiles.classes[0];
    // Cracks score 0.9 and 0.3, the others 0.6 and 0.2: hits at ranks 1 and 3.
    assert!(crack.ap.is_some_and(|ap| (ap - 5.0 / 6.0).abs() < 1e-9));
    assert_eq!((crack.precision, crack.recall, crack.f1), (Some(0.5), Some(0.5), Some(0.5)));
    // Crack 5/6 and spalling 1; corrosion is no part of it.
    assert!(tiles.mean_ap.is_some_and(|ap| (ap - 11.0 / 12.0).abs() < 1e-9));
    assert_eq!((tiles.macro_f1, tiles.worst_f1), (Some(0.75), Some(0.5)));
    assert_eq!(tiles.reliability.iter().map(|bin| bin.count).sum::<usize>(), 8, "two classes of four tiles");
    assert!(!tiles.classes[2].reported);
    let rooms = &report.sources["rooms"];
    assert_eq!((rooms.mean_ap, rooms.macro_f1, rooms.clean), (None, None, 1));
    assert_eq!(report.together.classes[0].pictures, 5);
}

#[test]
fn the_worst_come_first() {
    let scored = Scored::by_hand();
    let picks = pick(&scored.rows, &scored.looked, &scored.model.classes, 1);
    let rows = |picks: &[crate::evaluation::Pick]| picks.iter().map(|pick| pick.row).collect::<Vec<_>>();
    assert_eq!((rows(&picks[0].misses), rows(&picks[0].false_alarms)), (vec![1], vec![3]));
    assert_eq!((rows(&picks[2].misses), rows(&picks[2].false_alarms)), (vec![], vec![4]));
}
