//! Tagging and dedupe of one photo against what a busy project has stored, and how it grows.

use divan::{Bencher, black_box};
use jiff::Timestamp;
use jiff::civil::date;
use punchlens::domain::capture::CaptureInfo;
use punchlens::domain::dedupe::{Index, OpenItem, OpenItems, Sighting, match_open_item};
use punchlens::domain::detection::{DefectClass, Detection, Predictions};
use punchlens::domain::finding::{Finding, findings};
use punchlens::domain::geometry::{Size, Upright};
use punchlens::domain::ids::{
    CompanyId, FindingId, ImageId, LocationId, PhotoId, ProjectId, ProjectKey, PunchItemId, Sha256Digest,
    TradeId,
};
use punchlens::domain::image_hash::ImageHash;
use punchlens::domain::merge::merge;
use punchlens::domain::place::{Location, LocationTree, PlaceQuery, resolve};
use punchlens::domain::score::Score;
use punchlens::domain::tagging::{Catalogue, PhotoFacts, Tagging, Trade};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
const CLASSES: [&str; 5] = ["crack", "spalling", "peeling_paint", "biological_growth", "surface_mark"];
const LOCATIONS: i64 = 150;
const OPEN_ITEMS: i64 = 5_000;
const SIZE: Size<Upright> = Size::new(4032, 3024);

fn print(rng: &mut ChaCha8Rng) -> ImageHash {
    let mut colour = [0x88; 64];
    rng.fill_bytes(&mut colour[..8]);
    ImageHash::from_parts(rng.random(), rng.random::<u64>() | rng.random::<u64>(), colour)
}

fn sighting(n: u64, rng: &mut ChaCha8Rng) -> Sighting {
    let class = CLASSES[rng.random_range(0..CLASSES.len())];
    let second = 1_780_000_000 + rng.random_range(0..86_400 * 180);
    Sighting {
        finding: FindingId::of(PROJECT, &Sha256Digest::of(&n.to_be_bytes()), class),
        seen_in: PhotoId::of(PROJECT, ImageId::new(n.cast_signed())),
        class: DefectClass::new(class),
        location: Some(location(rng.random_range(1..=LOCATIONS))),
        taken_at: Timestamp::from_second(second).ok(),
        photo: print(rng),
        region: print(rng),
    }
}

fn index(count: u64, one_bucket: bool) -> Index {
    let mut rng = ChaCha8Rng::seed_from_u64(count);
    let mut index = Index::new(&Tagging::default_rules().rules().once);
    for n in 0..count {
        let sighting = sighting(n, &mut rng);
        let crowded =
            Sighting { class: DefectClass::new("crack"), location: Some(location(1)), ..sighting.clone() };
        index.insert(if one_bucket { crowded } else { sighting });
    }
    index
}

fn open_items() -> OpenItems {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let titles =
        ["Touch up paint", "Crack in drywall", "Door does not close", "Spalled edge", "Clean window"];
    OpenItems::new((0..OPEN_ITEMS).map(|id| OpenItem {
        id: PunchItemId::new(id),
        position: Some(id),
        title: titles[rng.random_range(0..titles.len())].to_owned(),
        location: Some(LocationId::new(rng.random_range(1..=LOCATIONS))),
        trade: Some(TradeId::new(rng.random_range(1..=4))),
        reference: Some(format!("PL-{id}")),
    }))
}

fn location(id: i64) -> Location {
    let name = format!("Building {}>Floor {}>Unit {id}", id % 3, id % 12);
    Location::from_name(LocationId::new(id), &name)
}

fn tree() -> LocationTree {
    LocationTree::new((1..=LOCATIONS).map(location).collect())
}

fn seen() -> Predictions {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let detections = (0..40).map(|n| {
        let (x, y) = (rng.random_range(0.0..3_800.0_f32), rng.random_range(0.0..2_800.0_f32));
        Detection {
            class: DefectClass::new(CLASSES[n % CLASSES.len()]),
            score: Score::from_logit(rng.random_range(0.0..4.0)),
            area: [x, y, x + 200.0, y + 150.0].try_into().expect("a box"),
            area_share: 0.002,
        }
    });
    Predictions { detections: detections.collect(), class_scores: vec![] }
}

/// Everything that one photo with forty regions of five classes goes through between the model and
/// the outbox.
struct Photo {
    tagging: Tagging,
    tree: LocationTree,
    catalogue: Catalogue,
    open: OpenItems,
    seen: Predictions,
    sighting: Sighting,
}

impl Photo {
    fn new() -> Self {
        let trade = |(id, name): (i64, &str)| Trade { id: TradeId::new(id), name: name.into(), active: true };
        let trades = [(1, "Painting"), (2, "Drywall"), (3, "Concrete"), (4, "Cleaning")].map(trade).into();
        Self {
            tagging: Tagging::default_rules(),
            tree: tree(),
            catalogue: Catalogue { trades, ..Catalogue::default() },
            open: open_items(),
            seen: seen(),
            sighting: sighting(u64::MAX, &mut ChaCha8Rng::seed_from_u64(9)),
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let merged = merge(&self.seen, SIZE, &self.tagging.rules().merge);
        findings(PROJECT, &Sha256Digest::of(b"photo"), &merged)
    }

    fn run(&self, index: &Index) -> usize {
        let capture = CaptureInfo::silent("the file has no EXIF");
        let query = PlaceQuery {
            photo_location: None,
            capture: &capture,
            procore_gps: None,
            filename: "IMG_1128.jpg",
            description: Some("bldg 1, floor 4, unit 16 by the window"),
            album: Some("Progress Photos"),
            neighbours: &[],
            uploader: None,
        };
        let place = resolve(&query, &self.tree, None, self.tagging.place());
        let facts = PhotoFacts {
            size: SIZE,
            filename: "IMG_1128.jpg".into(),
            taken_at: None,
            project: PROJECT,
            image: ImageId::new(1),
        };
        let each = self.findings().into_iter().map(|finding| {
            let today = date(2026, 6, 4);
            let tagged = self.tagging.tag(&finding, &facts, &place, &self.catalogue, "model 1", today);
            let new = Sighting {
                finding: finding.id,
                class: finding.class.clone(),
                location: place.location.clone(),
                ..self.sighting.clone()
            };
            black_box(index.find(&new));
            usize::from(match_open_item(&tagged, &self.open).is_some())
        });
        each.sum()
    }
}

/// One photo, findings spread over 150 locations and half a year.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn photo_against_stored(bencher: Bencher<'_, '_>, stored: u64) {
    let (photo, index) = (Photo::new(), index(stored, false));
    bencher.bench_local(|| photo.run(black_box(&index)));
}

/// One look-up where all findings have one class and one location: the worst case.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn look_up_in_one_bucket(bencher: Bencher<'_, '_>, stored: u64) {
    let index = index(stored, true);
    let photo = Photo::new();
    let new =
        Sighting { class: DefectClass::new("crack"), location: Some(location(1)), ..photo.sighting.clone() };
    bencher.bench_local(|| index.find(black_box(&new)));
}

/// Adding one sighting to many.
#[divan::bench(args = [1_000, 100_000])]
fn insert(bencher: Bencher<'_, '_>, stored: u64) {
    let mut index = index(stored, false);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut n = stored;
    bencher.bench_local(|| {
        n += 1;
        index.insert(sighting(n, &mut rng));
    });
}
