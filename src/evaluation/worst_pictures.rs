//! The pictures that tell most about where a model fails.

use super::labels::Row;
use super::look::PictureResult;
use crate::inference::ClassInfo;

/// A picture in a list of the worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    /// Its number among the rows.
    pub row: usize,
    pub score: f32,
}

/// The worst pictures of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Picks {
    /// Number of the class in the model.
    pub class: usize,
    /// It is there and was not reported, lowest score first.
    pub misses: Vec<Pick>,
    /// It is not there and was reported, highest score first.
    pub false_alarms: Vec<Pick>,
}

/// At most `most` misses and false alarms of each class.
pub fn pick(
    rows: &[Row],
    looked: &[Result<PictureResult, String>],
    classes: &[ClassInfo],
    most: usize,
) -> Vec<Picks> {
    let of_class = |(index, class): (usize, &ClassInfo)| {
        let scored = rows.iter().zip(looked).enumerate().filter_map(|(row, (labels, looked))| {
            let shows = labels.shows(&class.name)?;
            let score = looked.as_ref().ok()?.classes[index].score;
            Some((shows, Pick { row, score }))
        });
        let (mut misses, mut false_alarms) = (Vec::new(), Vec::new());
        for (shows, pick) in scored {
            match (shows, pick.score >= class.threshold) {
                (true, false) => misses.push(pick),
                (false, true) => false_alarms.push(pick),
                _ => {}
            }
        }
        misses.sort_by(|a, b| a.score.total_cmp(&b.score));
        false_alarms.sort_by(|a, b| b.score.total_cmp(&a.score));
        misses.truncate(most);
        false_alarms.truncate(most);
        Picks { class: index, misses, false_alarms }
    };
    classes.iter().enumerate().map(of_class).collect()
}
