//! Damaged files are refused, never looked at as if they were whole.

use super::boxes::{self, Item, grid, ispe};
use super::{cases, decode};

fn portrait() -> Vec<u8> {
    std::fs::read(cases().join("heic-kinds/no-turn.heic")).expect("a fixture")
}

/// Numbers without pattern, the same each time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize % end
    }
}

#[test]
fn six_changed_bytes_of_the_picture_are_noticed() {
    let whole = portrait();
    let (start, length) = boxes::find(&whole, b"mdat");
    // The EXIF block at the end is no picture.
    let length = length - 300;
    for seed in 1..=40 {
        let mut draws = Draws(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut bytes = whole.clone();
        for _ in 0..6 {
            bytes[start + draws.below(length)] ^= 1 + draws.below(255) as u8;
        }
        let error = decode(&bytes).expect_err("damaged");
        assert!(matches!(error.code(), "broken" | "unsupported"), "{seed}: {error}");
    }
}

#[test]
fn files_that_are_cut_off_are_noticed() {
    let whole = portrait();
    let (start, length) = boxes::find(&whole, b"mdat");
    for end in
        [0, 1, 11, 40, start - 9, start - 8, start, start + 1, start + length / 2, start + length - 300]
    {
        let error = decode(&whole[..end]).expect_err("cut off");
        assert!(matches!(error.code(), "broken" | "unsupported"), "{end}: {error}");
    }
}

#[test]
fn tiles_that_are_missing_or_lie_elsewhere_are_noticed() {
    let whole = portrait();
    let (start, _) = boxes::find(&whole, b"iloc");
    let expected = decode(&whole).expect("whole").picture;
    for at in (start..start + 90).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x15;
        // Where a byte means nothing for the picture, the pixels are those of the whole file.
        if let Ok(photo) = decode(&bytes) {
            assert!(photo.picture == expected, "byte {at} of the places");
        }
    }
    let tile =
        Item { kind: b"hvc1", data: vec![0, 0, 0, 2, 0x26, 1], properties: vec![], references: vec![] };
    let (hvcc, length) = boxes::find(&whole, b"hvcC");
    let properties = vec![boxes::boxed(b"hvcC", &whole[hvcc..hvcc + length]), ispe(512, 512)];
    let mosaic = |ids: Vec<u16>| Item {
        kind: b"grid",
        data: grid(2, 1, 1024, 512),
        properties: vec![ispe(1024, 512)],
        references: vec![(b"dimg", ids)],
    };
    let tile = Item { properties, ..tile };
    for (ids, reason) in [(vec![], "missing"), (vec![1], "missing"), (vec![1, 9], ""), (vec![1, 1], "")] {
        let error = decode(&boxes::file(&[tile.clone(), mosaic(ids)], 2)).expect_err("damaged");
        assert!(error.to_string().contains(reason), "{error}");
    }
}
