//! The page: numbers, and contact sheets of the pictures that the model got most wrong. One file that needs nothing else.

mod sheets;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub use self::sheets::{Sheet, Thumb, sheets};
use super::report::{ClassMeasured, Measured, Report};
use crate::domain::measure::Bin;

const STYLE: &str = include_str!("page/style.css");

/// Sides of a reliability diagram, in its own units.
const DIAGRAM: f64 = 100.0;

/// The whole document.
pub fn page(report: &Report, sheets: &[Sheet]) -> String {
    let model = &report.model;
    let title = format!("{} {} on {}", model.name, model.version, report.split);
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p {
                    (model.precision.name()) ", SHA-256 " code { (model.sha256) } ", training data "
                    (model.training_data.name()) ". " (report.pictures) " pictures of " code { (report.manifest) } ". "
                    (report.looked.words())
                }
                (failures(report))
                (sources(report))
                @for (name, measured) in &report.sources { (classes(name, measured)) }
                @if report.sources.len() > 1 { (classes("together", &report.together)) }
                @for sheet in sheets { (contact_sheet(sheet)) }
            }
        }
    };
    document.into_string()
}

/// A rate with three digits, or a dash.
fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn failures(report: &Report) -> Markup {
    html! {
        @if !report.failed.is_empty() {
            h2 { "Not analysed" }
            ul { @for failed in &report.failed { li { (failed.image) ": " (failed.reason) } } }
        }
    }
}

fn sources(report: &Report) -> Markup {
    html! {
        h2 { "Sources" }
        table {
            thead { tr {
                @for head in ["source", "pictures", "mean AP", "macro F1", "worst F1", "ECE", "clean photos with a finding", "alarms a clean photo"] {
                    th scope="col" { (head) }
                }
            } }
            tbody {
                @for (name, measured) in &report.sources { (source(name, measured)) }
                @if report.sources.len() > 1 { (source("together", &report.together)) }
            }
        }
    }
}

fn source(name: &str, measured: &Measured) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td { (measured.pictures) }
            @for value in [measured.mean_ap, measured.macro_f1, measured.worst_f1, measured.ece] { td { (rate(value)) } }
            td { @if measured.clean > 0 { (measured.clean_with_finding) " of " (measured.clean) } @else { "–" } }
            td { (rate(measured.false_alarms_per_clean)) }
        }
    }
}

fn classes(source: &str, measured: &Measured) -> Markup {
    html! {
        h2 { (source) }
        div.beside {
            table {
                thead { tr {
                    @for head in ["class", "with it", "AP", "precision", "recall", "F1", "ECE", "boxes hit", "regions inside", "cells P", "cells R"] {
                        th scope="col" { (head) }
                    }
                } }
                tbody { @for one in measured.classes.iter().filter(|one| one.positive > 0) { (class(one)) } }
            }
            @if !measured.reliability.is_empty() { (diagram(&measured.reliability)) }
        }
    }
}

fn class(one: &ClassMeasured) -> Markup {
    // Where every picture shows it, only recall says anything.
    let mixed = |value: Option<f64>| value.filter(|_| one.is_mixed());
    let boxes = one.boxes.map(|boxes| boxes.counts);
    html! {
        tr {
            th scope="row" { (one.class) @if one.experimental { " (experimental)" } }
            td { (one.positive) " of " (one.pictures) }
            @for value in [mixed(one.ap), mixed(one.precision), one.recall, mixed(one.f1), mixed(one.ece)] { td { (rate(value)) } }
            td { @if let Some(boxes) = boxes { (boxes.found) " of " (boxes.boxes) } @else { "–" } }
            td { @if let Some(boxes) = boxes { (boxes.inside) " of " (boxes.regions) } @else { "–" } }
            td { (rate(one.cells.and_then(|cells| cells.precision))) }
            td { (rate(one.cells.and_then(|cells| cells.recall))) }
        }
    }
}

/// Score against what holds; on the diagonal scores mean what they say. The table holds the same.
fn diagram(bins: &[Bin]) -> Markup {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1) as f64;
    let dot = |bin: &Bin| {
        let radius = 1.5 + 4.0 * (bin.count as f64 / most).sqrt();
        (DIAGRAM * bin.mean_score, DIAGRAM * (1.0 - bin.share_that_holds), radius)
    };
    html! {
        figure {
            svg viewBox="-8 -8 116 116" role="img" aria-label="Reliability: share that holds over mean score" {
                rect width=(DIAGRAM) height=(DIAGRAM) {}
                line x1="0" y1=(DIAGRAM) x2=(DIAGRAM) y2="0" {}
                @for (x, y, radius) in bins.iter().map(dot) {
                    circle cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r=(format!("{radius:.1}")) {}
                }
            }
            details {
                summary { "Scores and what holds" }
                table {
                    thead { tr { th scope="col" { "score" } th scope="col" { "count" } th scope="col" { "mean" } th scope="col" { "holds" } } }
                    tbody { @for bin in bins { tr {
                        th scope="row" { (format!("{:.1} to {:.1}", bin.from, bin.to)) }
                        td { (bin.count) }
                        td { (format!("{:.3}", bin.mean_score)) }
                        td { (format!("{:.3}", bin.share_that_holds)) }
                    } } }
                }
            }
        }
    }
}

fn contact_sheet(sheet: &Sheet) -> Markup {
    let parts = [("missed", &sheet.misses), ("false alarms", &sheet.false_alarms)];
    html! {
        @for (what, thumbs) in parts.into_iter().filter(|(_, thumbs)| !thumbs.is_empty()) {
            h2 { (sheet.class) ": " (what) }
            div.sheet {
                @for thumb in thumbs {
                    figure {
                        img src=(thumb.data_url) alt=(format!("{}: {what}", sheet.class)) loading="lazy";
                        figcaption { b { (format!("{:.2}", thumb.score)) } " " (thumb.source) br; (thumb.name) }
                    }
                }
            }
        }
    }
}
