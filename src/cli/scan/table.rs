//! What people read: a table of findings and a line of numbers.

use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::record::{AnalyzedPhoto, Outcome, Record};
use super::tags::{Item, Tags};
use crate::domain::detection::DefectClass;

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Summary {
    rows: Vec<[String; 6]>,
    /// With rule files: place, title, trade, priority and due date of each, also of photos without findings.
    tagged: Vec<[String; 5]>,
    /// Why, photo by photo.
    reasons: Vec<String>,
    failures: Vec<(String, String)>,
    photos: usize,
    with_findings: usize,
}

impl Summary {
    /// Counts `record` and keeps what the table shows of it.
    pub(super) fn add(&mut self, record: Record) {
        match record.outcome {
            Outcome::Seen(seen) => {
                self.photos += 1;
                self.with_findings += usize::from(!seen.findings.is_empty());
                self.rows.extend(rows(&record.file, &seen));
                if let Some(tags) = &seen.tags {
                    self.tagged.extend(tagged_rows(&record.file, tags));
                    self.reasons.push(reasons(&record.file, tags));
                }
            }
            Outcome::Failed { error } => self.failures.push((record.file, error.message)),
        }
    }

    /// Photos with findings.
    pub(super) fn findings(&self) -> usize {
        self.with_findings
    }

    /// Photos, or arguments, that could not be looked at.
    pub(super) fn unreadable(&self) -> usize {
        self.failures.len()
    }

    /// The table of findings, then what could not be read.
    pub(super) fn table(&self) -> String {
        let mut text = if self.rows.is_empty() {
            "Nothing found.".to_owned()
        } else {
            self.findings_table().to_string()
        };
        if !self.tagged.is_empty() {
            let why = self.reasons.join("\n");
            text.extend(["\n\n", &self.tagged_table().to_string(), "\n\nWhy:\n", &why]);
        }
        for (file, message) in &self.failures {
            text.extend(["\n", file, ": not analysed: ", message]);
        }
        text
    }

    fn findings_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["Photo", "Found", "Score", "Regions", "Area", "Largest box (x0, y0, x1, y1)"]);
        table.add_rows(&self.rows);
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn tagged_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["Photo", "Would become", "Trade", "Priority", "Due"]);
        table.add_rows(&self.tagged);
        table
    }

    /// The numbers in a line.
    pub(super) fn words(&self, elapsed: Duration) -> String {
        let Self { photos, with_findings, failures, .. } = self;
        let seconds = elapsed.as_secs_f64();
        let clean = photos - with_findings;
        format!(
            "{photos} photos in {seconds:.1} s ({:.1} a second): {with_findings} with findings, {clean} without, {} not analysed",
            *photos as f64 / seconds.max(1e-9),
            failures.len()
        )
    }
}

/// One row for each punch item that the photo would become; one with dashes where it would become none.
fn tagged_rows(file: &str, tags: &Tags) -> Vec<[String; 5]> {
    let dash = || "–".to_owned();
    if tags.items.is_empty() {
        return vec![[file.to_owned(), dash(), dash(), dash(), dash()]];
    }
    let row = |item: &Item| {
        let trade = item.trade.clone().unwrap_or_else(|| "none".into());
        let due = item.due.map_or_else(dash, |day| day.to_string());
        [file.to_owned(), item.title.clone(), trade, item.priority.to_string(), due]
    };
    tags.items.iter().map(row).collect()
}

/// The photo's place, and each rule that fired for each of its items.
fn reasons(file: &str, tags: &Tags) -> String {
    let mut text = format!("{file}\n  Place: {}", tags.place);
    for item in &tags.items {
        text.extend(["\n  ", item.title.as_str()]);
        for rule in &item.rules {
            text.extend(["\n    ", rule.as_str()]);
        }
    }
    text
}

/// One row for each class that was found, best first.
fn rows(file: &str, seen: &AnalyzedPhoto) -> Vec<[String; 6]> {
    let mut classes = Vec::new();
    for finding in &seen.findings {
        if !classes.contains(&&finding.class) {
            classes.push(&finding.class);
        }
    }
    let row = |class: &DefectClass| {
        let regions: Vec<_> = seen.findings.iter().filter(|finding| finding.class == *class).collect();
        let area: f32 = regions.iter().map(|region| region.area_share).sum();
        let largest = regions.iter().max_by(|a, b| a.area.area().total_cmp(&b.area.area()));
        let corners =
            largest.map(|region| region.area.corners().map(|corner| format!("{corner:.0}")).join(", "));
        let score = regions.first().map(|region| region.score.to_string());
        [
            file.to_owned(),
            class.to_string(),
            score.unwrap_or_default(),
            regions.len().to_string(),
            format!("{:.1} %", area * 100.0),
            corners.unwrap_or_default(),
        ]
    };
    classes.into_iter().map(row).collect()
}
