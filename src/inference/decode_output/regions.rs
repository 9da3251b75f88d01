//! Connected regions of a grid of cells.

/// A grid of cells, row by row, `true` where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) cells: Vec<bool>,
}

impl Grid {
    /// The cells of `values` that are at least `threshold`; NaN is not.
    pub(super) fn at_least(values: &[f32], columns: usize, threshold: f32) -> Self {
        let cells: Vec<bool> = values.iter().map(|&value| value >= threshold).collect();
        Self { columns, rows: cells.len() / columns.max(1), cells }
    }

    /// Morphological closing with a square of 2 × `reach` + 1 cells, as if the grid lay on an
    /// endless empty plane: gaps inside are bridged, nothing is added along the border.
    pub(super) fn closed(&self, reach: usize) -> Self {
        if reach == 0 {
            return self.clone();
        }
        let grown = self.margin(2 * reach).spread(reach);
        let shrunk = grown.inverted().spread(reach).inverted();
        shrunk.cropped(2 * reach)
    }

    /// This grid with `reach` empty cells around it.
    fn margin(&self, reach: usize) -> Self {
        let (columns, rows) = (self.columns + 2 * reach, self.rows + 2 * reach);
        let mut cells = vec![false; columns * rows];
        for (y, row) in self.cells.chunks_exact(self.columns.max(1)).enumerate() {
            let start = (y + reach) * columns + reach;
            cells[start..start + self.columns].copy_from_slice(row);
        }
        Self { columns, rows, cells }
    }

    /// This grid without its outer `reach` cells.
    fn cropped(&self, reach: usize) -> Self {
        let (columns, rows) = (self.columns - 2 * reach, self.rows - 2 * reach);
        let row = |y: usize| &self.cells[(y + reach) * self.columns + reach..][..columns];
        Self { columns, rows, cells: (0..rows).flat_map(row).copied().collect() }
    }

    fn inverted(mut self) -> Self {
        for cell in &mut self.cells {
            *cell = !*cell;
        }
        self
    }

    /// Every cell within `reach` of one that is set, along rows first and columns then.
    fn spread(&self, reach: usize) -> Self {
        let any = |at: usize, length: usize, set: &dyn Fn(usize) -> bool| {
            (at.saturating_sub(reach)..=(at + reach).min(length - 1)).any(set)
        };
        let mut along = self.clone();
        for y in 0..self.rows {
            for x in 0..self.columns {
                along.cells[y * self.columns + x] =
                    any(x, self.columns, &|x| self.cells[y * self.columns + x]);
            }
        }
        let mut both = along.clone();
        for y in 0..self.rows {
            for x in 0..self.columns {
                both.cells[y * self.columns + x] = any(y, self.rows, &|y| along.cells[y * self.columns + x]);
            }
        }
        both
    }

    /// The 8-connected components, each as its cells' indices in reading order, ordered by their
    /// first cell.
    pub(super) fn components(&self) -> Vec<Vec<usize>> {
        let mut left = self.cells.clone();
        let mut found = Vec::new();
        for start in 0..left.len() {
            if !std::mem::take(&mut left[start]) {
                continue;
            }
            let mut component = vec![start];
            let mut done = 0;
            while let Some(&at) = component.get(done) {
                done += 1;
                for neighbour in self.neighbours(at) {
                    if std::mem::take(&mut left[neighbour]) {
                        component.push(neighbour);
                    }
                }
            }
            component.sort_unstable();
            found.push(component);
        }
        found
    }

    /// The up to nine cells around `at`, itself included.
    fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let (x, y, columns, rows) = (at % self.columns, at / self.columns, self.columns, self.rows);
        let across = x.saturating_sub(1)..(x + 2).min(columns);
        (y.saturating_sub(1)..(y + 2).min(rows))
            .flat_map(move |y| across.clone().map(move |x| y * columns + x))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(picture: &[&str]) -> Grid {
        let cells = picture.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
        Grid { columns: picture[0].len(), rows: picture.len(), cells }
    }

    #[test]
    fn closing_bridges_gaps_and_leaves_the_border_alone() {
        let broken = grid(&["........", "##..####", "........"]);
        assert_eq!(broken.closed(1), grid(&["........", "########", "........"]));
        assert_eq!(broken.closed(0), broken);
        let at_the_edge = grid(&["#.......", "........", ".......#"]);
        assert_eq!(at_the_edge.closed(2), at_the_edge);
    }

    #[test]
    fn corners_connect() {
        let picture = grid(&["#..#", ".#..", "...."]);
        assert_eq!(picture.components(), [vec![0, 5], vec![3]]);
        assert!(grid(&["...."]).components().is_empty());
    }

    fn any_grid() -> impl Strategy<Value = Grid> {
        (1_usize..12, 1_usize..12).prop_flat_map(|(columns, rows)| {
            proptest::collection::vec(any::<bool>(), columns * rows).prop_map(move |cells| Grid {
                columns,
                rows,
                cells,
            })
        })
    }

    proptest! {
        #[test]
        fn closing_only_adds_and_a_second_time_adds_nothing(grid in any_grid(), reach in 0_usize..3) {
            let closed = grid.closed(reach);
            prop_assert_eq!(&closed.closed(reach), &closed);
            prop_assert!(grid.cells.iter().zip(&closed.cells).all(|(before, after)| *after || !*before));
        }

        #[test]
        fn components_split_the_set_cells(grid in any_grid()) {
            let mut all: Vec<usize> = grid.components().concat();
            all.sort_unstable();
            let set: Vec<usize> = (0..grid.cells.len()).filter(|&at| grid.cells[at]).collect();
            prop_assert_eq!(all, set);
        }
    }
}
