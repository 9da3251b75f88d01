//! What people read on the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::evaluation::report::{ClassMeasured, Measured, Report};

/// One table of sources, one of classes.
pub(super) fn tables(report: &Report) -> String {
    let mut sources = table([
        "Source",
        "Pictures",
        "Mean AP",
        "Macro F1",
        "Worst F1",
        "ECE",
        "Clean with finding",
        "Alarms a clean photo",
    ]);
    let mut classes = table([
        "Source",
        "Class",
        "With it",
        "AP",
        "Precision",
        "Recall",
        "F1",
        "ECE",
        "Boxes hit",
        "Regions inside",
        "Cells P",
        "Cells R",
    ]);
    let together = [("together", &report.together)];
    let named = report.sources.iter().map(|(name, measured)| (name.as_str(), measured));
    // Of one source alone, all pictures together are the same again.
    let together = together.into_iter().filter(|_| report.sources.len() > 1);
    for (name, measured) in named.chain(together) {
        sources.add_row(source_row(name, measured));
        let shown = measured.classes.iter().filter(|class| class.positive > 0);
        classes.add_rows(shown.map(|class| class_row(name, class)));
    }
    let how = report.looked.words();
    format!(
        "{sources}\n{classes}\n{how} Numbers of classes that are not reported (*) count for themselves alone."
    )
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for column in table.column_iter_mut().skip(if N > 8 { 2 } else { 1 }) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A rate with three digits, or a dash.
fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn source_row(name: &str, measured: &Measured) -> Vec<String> {
    let clean = match measured.clean {
        0 => "–".to_owned(),
        clean => format!("{} of {clean}", measured.clean_with_finding),
    };
    let mut row = vec![name.to_owned(), measured.pictures.to_string()];
    row.extend([measured.mean_ap, measured.macro_f1, measured.worst_f1, measured.ece].map(rate));
    row.extend([clean, rate(measured.false_alarms_per_clean)]);
    row
}

fn class_row(source: &str, class: &ClassMeasured) -> Vec<String> {
    // Where every picture shows it, only recall says anything.
    let mixed = |value: Option<f64>| value.filter(|_| class.is_mixed());
    let star = if class.reported { "" } else { " *" };
    let of = |part: usize, whole: usize| format!("{part} of {whole}");
    let none = || "–".to_owned();
    let boxes = class.boxes.map(|boxes| boxes.counts);
    let cells = class.cells;
    let mut row = vec![
        source.to_owned(),
        format!("{}{star}", class.class),
        of(class.positive, class.pictures),
        rate(mixed(class.ap)),
        rate(mixed(class.precision)),
        rate(class.recall),
        rate(mixed(class.f1)),
        rate(mixed(class.ece)),
    ];
    row.push(boxes.map_or_else(none, |boxes| of(boxes.found, boxes.boxes)));
    row.push(boxes.map_or_else(none, |boxes| of(boxes.inside, boxes.regions)));
    row.push(rate(cells.and_then(|cells| cells.precision)));
    row.push(rate(cells.and_then(|cells| cells.recall)));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::report::tests::report;

    #[test]
    fn tables_say_what_is_known_and_no_more() {
        insta::assert_snapshot!(tables(&report()));
    }
}
