//! Whether what was found lies where it should: boxes against boxes, cells against cells.

use std::ops::AddAssign;

use serde::Serialize;

use super::ratio;
use crate::domain::geometry::{PixelBox, Upright};

/// A true box counts as found from this intersection over union on.
const FOUND_IOU: f32 = 0.3;

/// A region counts as inside from this share of it in a true box on.
const INSIDE_SHARE: f32 = 0.7;

/// Cells by which a marked cell may lie beside a true one.
const SLACK: usize = 1;

/// True boxes and reported regions of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BoxCounts {
    /// True boxes that a region overlaps by 0.3 of their union.
    pub found: usize,
    /// True boxes.
    pub boxes: usize,
    /// Regions of which 70 % lie in one true box.
    pub inside: usize,
    /// Regions.
    pub regions: usize,
}

impl BoxCounts {
    /// The share of true boxes that were found.
    pub fn hit_rate(self) -> Option<f64> {
        ratio(self.found, self.boxes)
    }

    /// The share of regions that lie in a true box.
    pub fn inside_rate(self) -> Option<f64> {
        ratio(self.inside, self.regions)
    }
}

impl AddAssign for BoxCounts {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.boxes += other.boxes;
        self.inside += other.inside;
        self.regions += other.regions;
    }
}

/// Holds the regions `seen` in one photo against the boxes that are `truth`.
pub fn boxes(truth: &[PixelBox<Upright>], seen: &[PixelBox<Upright>]) -> BoxCounts {
    let share = |inner: &PixelBox<Upright>, outer: &PixelBox<Upright>| {
        let shared = inner.intersection(*outer).map_or(0.0, PixelBox::area);
        if inner.area() > 0.0 { shared / inner.area() } else { 0.0 }
    };
    BoxCounts {
        found: truth.iter().filter(|one| seen.iter().any(|region| one.iou(*region) >= FOUND_IOU)).count(),
        boxes: truth.len(),
        inside: seen
            .iter()
            .filter(|region| truth.iter().any(|one| share(region, one) >= INSIDE_SHARE))
            .count(),
        regions: seen.len(),
    }
}

/// Cells over a photo, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellGrid {
    /// Cells across.
    pub columns: usize,
    /// One for each cell.
    pub cells: Vec<bool>,
}

impl CellGrid {
    /// Every cell within `reach` of one that is set, in all eight directions.
    fn grown(&self, reach: usize) -> Self {
        let (columns, rows) = (self.columns, self.cells.len() / self.columns.max(1));
        let near = |at: usize, length: usize| at.saturating_sub(reach)..(at + reach + 1).min(length);
        let set =
            |y: usize, x: usize| near(y, rows).any(|y| near(x, columns).any(|x| self.cells[y * columns + x]));
        Self { columns, cells: (0..rows * columns).map(|at| set(at / columns, at % columns)).collect() }
    }

    fn count(&self) -> usize {
        self.cells.iter().filter(|&&set| set).count()
    }

    fn shared(&self, other: &Self) -> usize {
        self.cells.iter().zip(&other.cells).filter(|&(&a, &b)| a && b).count()
    }
}

/// True cells and marked cells of one class, with one cell of slack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CellCounts {
    /// Marked cells on or beside a true one.
    pub right: usize,
    /// Marked cells.
    pub flagged: usize,
    /// True cells on or beside a marked one.
    pub covered: usize,
    /// True cells.
    pub positive: usize,
}

impl CellCounts {
    /// The share of marked cells that are right.
    pub fn precision(self) -> Option<f64> {
        ratio(self.right, self.flagged)
    }

    /// The share of true cells that are covered.
    pub fn recall(self) -> Option<f64> {
        ratio(self.covered, self.positive)
    }
}

impl AddAssign for CellCounts {
    fn add_assign(&mut self, other: Self) {
        self.right += other.right;
        self.flagged += other.flagged;
        self.covered += other.covered;
        self.positive += other.positive;
    }
}

/// Holds the cells `flagged` in one photo against those that are `truth`, on the same grid.
pub fn cells(truth: &CellGrid, flagged: &CellGrid) -> CellCounts {
    CellCounts {
        right: flagged.shared(&truth.grown(SLACK)),
        flagged: flagged.count(),
        covered: truth.shared(&flagged.grown(SLACK)),
        positive: truth.count(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn area(corners: [f32; 4]) -> PixelBox<Upright> {
        PixelBox::try_from(corners).expect("a box")
    }

    #[test]
    fn boxes_by_hand() {
        let truth = [area([0.0, 0.0, 10.0, 10.0]), area([100.0, 0.0, 110.0, 10.0])];
        let table = [
            // Half of the union, and wholly inside.
            (vec![area([0.0, 0.0, 10.0, 5.0])], (1, 1)),
            // 30 of 100: just found; 29 of 100: not.
            (vec![area([0.0, 0.0, 3.0, 10.0])], (1, 1)),
            (vec![area([0.0, 0.0, 2.9, 10.0])], (0, 1)),
            // Twice as large: half of it inside, half of the union shared.
            (vec![area([0.0, 0.0, 20.0, 10.0])], (1, 0)),
            // One region over both boxes finds neither.
            (vec![area([0.0, 0.0, 110.0, 10.0])], (0, 0)),
            // Two regions on one box find one box.
            (vec![area([0.0, 0.0, 10.0, 9.0]), area([0.0, 1.0, 10.0, 10.0])], (1, 2)),
            (vec![], (0, 0)),
        ];
        for (seen, (found, inside)) in table {
            let expected = BoxCounts { found, boxes: 2, inside, regions: seen.len() };
            assert_eq!(boxes(&truth, &seen), expected, "{seen:?}");
        }
        assert_eq!((BoxCounts::default().hit_rate(), boxes(&truth, &[]).hit_rate()), (None, Some(0.0)));
    }

    fn grid(picture: &[&str]) -> CellGrid {
        let cells = picture.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
        CellGrid { columns: picture[0].len(), cells }
    }

    #[test]
    fn cells_by_hand() {
        let truth = grid(&["##....", "......", "......", ".....#"]);
        let flagged = grid(&["......", "..#...", "......", "#....."]);
        // The cell at (1, 2) touches (0, 1); (0, 0) is two cells from it; (3, 5) is alone.
        let expected = CellCounts { right: 1, flagged: 2, covered: 1, positive: 3 };
        assert_eq!(cells(&truth, &flagged), expected);
        assert_eq!((expected.precision(), expected.recall()), (Some(0.5), Some(1.0 / 3.0)));
        let nothing = grid(&["......", "......", "......", "......"]);
        assert_eq!((cells(&nothing, &flagged).recall(), cells(&truth, &nothing).precision()), (None, None));
    }

    fn any_grids() -> impl Strategy<Value = (CellGrid, CellGrid)> {
        (1_usize..9, 1_usize..9).prop_flat_map(|(columns, rows)| {
            let one = prop::collection::vec(any::<bool>(), columns * rows);
            (one.clone(), one)
                .prop_map(move |(a, b)| (CellGrid { columns, cells: a }, CellGrid { columns, cells: b }))
        })
    }

    proptest! {
        #[test]
        fn counts_stay_in_bounds_and_turn_round((truth, flagged) in any_grids()) {
            let counts = cells(&truth, &flagged);
            prop_assert!(counts.right <= counts.flagged && counts.covered <= counts.positive);
            let round = cells(&flagged, &truth);
            let turned = CellCounts {
                right: counts.covered, flagged: counts.positive, covered: counts.right, positive: counts.flagged,
            };
            prop_assert_eq!(round, turned);
            let same = cells(&truth, &truth);
            prop_assert_eq!((same.right, same.covered), (same.flagged, same.positive));
        }
    }
}
