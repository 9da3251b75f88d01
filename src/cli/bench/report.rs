//! One run: as JSON for machines, as a table for people, and beside another run.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::{Deserialize, Serialize};

use super::ceiling::Ceiling;
use super::machine::Machine;
use super::scenarios::{MultiStream, Offline, Server, SingleStream, WarmUp};
use super::statistics::{CONFIDENCE, Latencies, Quantile, samples_needed};

/// The version of the JSON.
pub(super) const SCHEMA: u32 = 1;

/// Everything about one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub schema: u32,
    pub punchlens: String,
    pub machine: Machine,
    pub model: String,
    pub precision: String,
    pub runtime: String,
    pub sessions: usize,
    pub provider_asked: String,
    /// What the sessions really ran on.
    pub provider_got: String,
    pub provider_why: String,
    pub jpeg: String,
    pub mode: String,
    pub coarse_to_fine: bool,
    pub photos: usize,
    /// Bytes of a photo, on average.
    pub photo_bytes: usize,
    pub warm_up: WarmUp,
    pub single_stream: Option<SingleStream>,
    pub multi_stream: Option<MultiStream>,
    pub offline: Option<Offline>,
    pub server: Option<Server>,
    pub ceiling: Option<Ceiling>,
}

/// A figure with a name that stays the same from run to run.
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    note: String,
}

fn row(name: impl Into<String>, value: f64, unit: &'static str, note: impl Into<String>) -> Row {
    Row { name: name.into(), value, unit, note: note.into() }
}

impl Report {
    /// What ran where, in lines.
    pub(super) fn context(&self) -> String {
        let Self { machine, model, precision, provider_got, sessions, runtime, photos, mode, .. } = self;
        let load = machine.load.map_or_else(String::new, |load| format!(", load {load:.1}"));
        let coarse = if self.coarse_to_fine { "on" } else { "off" };
        format!(
            "{} × {}, {}{load}\npunchlens {}, {model}, {precision} on {provider_got} ({} was asked for: {}), {sessions} sessions\n{runtime}, JPEG by {}\n{photos} photos of {:.1} MB, mode {mode}, coarse to fine {coarse}",
            machine.cores,
            machine.processor,
            machine.system,
            self.punchlens,
            self.provider_asked,
            self.provider_why,
            self.jpeg,
            self.photo_bytes as f64 / 1e6,
        )
    }

    /// The figures, for people.
    pub(super) fn table(&self) -> Table {
        let mut table = new_table(["", "Measured", "", "Note"]);
        for Row { name, value, unit, note } in self.rows() {
            table.add_row([name, number(value), unit.to_owned(), note]);
        }
        right(&mut table, &[1]);
        table
    }

    /// The figures beside those of `other`.
    pub(super) fn beside(&self, other: &Self) -> Table {
        let mut table = new_table(["", "This run", "The other", "", "This ÷ other"]);
        let others = other.rows();
        for Row { name, value, unit, .. } in self.rows() {
            let (then, ratio) = match others.iter().find(|row| row.name == name) {
                Some(row) => (number(row.value), format!("{:.3}", value / row.value)),
                None => ("–".to_owned(), "–".to_owned()),
            };
            table.add_row([name, number(value), then, unit.to_owned(), ratio]);
        }
        right(&mut table, &[1, 2, 4]);
        table
    }

    /// What keeps two runs from being held against each other, if anything does.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let pairs = [
            ("machine", &self.machine.processor, &other.machine.processor),
            ("model", &self.model, &other.model),
            ("precision", &self.precision, &other.precision),
            ("runtime", &self.runtime, &other.runtime),
            ("provider", &self.provider_got, &other.provider_got),
            ("JPEG decoder", &self.jpeg, &other.jpeg),
            ("mode", &self.mode, &other.mode),
            ("coarse to fine", &self.coarse_to_fine.to_string(), &other.coarse_to_fine.to_string()),
            ("bytes of a photo", &self.photo_bytes.to_string(), &other.photo_bytes.to_string()),
        ]
        .map(|(what, own, others)| (own != others).then(|| format!("{what}: {own}, there {others}")));
        pairs.into_iter().flatten().collect()
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![row(
            "Warm-up, first look",
            self.warm_up.first_ms,
            "ms",
            format!("{} looks, the last {:.1} ms; not in the rest", self.warm_up.looks, self.warm_up.last_ms),
        )];
        rows.extend(self.single_stream.iter().flat_map(single_rows));
        if let Some(multi) = &self.multi_stream {
            let name = format!("MultiStream ({})", multi.burst);
            let Latencies { count, p50, p99, .. } = &multi.latencies;
            rows.push(row(format!("{name} p50"), p50.ms, "ms", format!("{count} bursts")));
            rows.push(row(format!("{name} p99"), p99.ms, "ms", trust(p99, *count, 0.99)));
        }
        rows.extend(self.offline.iter().flat_map(offline_rows));
        if let Some(server) = &self.server {
            let note = format!(
                "highest of {} rates with p99 ≤ {} ms, open loop",
                server.trials.len(),
                server.bound_ms
            );
            rows.push(row("Server", server.photos_per_s, "photos/s", note));
            let best =
                server.trials.iter().find(|trial| (trial.photos_per_s - server.photos_per_s).abs() < 1e-9);
            if let Some(Latencies { count, p99, .. }) = best.and_then(|trial| trial.latencies.as_ref()) {
                rows.push(row("Server p99 at that rate", p99.ms, "ms", trust(p99, *count, 0.99)));
            }
        }
        if let Some(ceiling) = &self.ceiling {
            rows.push(row("Bare decode", ceiling.decode_ms, "CPU ms/photo", "every core at it"));
            rows.push(row("Bare inference", ceiling.infer_ms, "CPU ms/photo", "every core at it, all views"));
            rows.push(row("Whole way", ceiling.whole_ms, "CPU ms/photo", "coarse to fine off"));
            let note =
                format!("of 1 ÷ (decode + inference) = {:.2} photos/s a core", ceiling.photos_per_core_s);
            rows.push(row("Share of the ceiling", ceiling.share * 100.0, "%", note));
        }
        rows
    }
}

fn single_rows(single: &SingleStream) -> Vec<Row> {
    let Latencies { count, p50, p90, p99, .. } = &single.latencies;
    let early = format!(
        "{:.0} % ended after the first look, {:.0} % with findings",
        single.ended_early * 100.0,
        single.with_findings * 100.0
    );
    let mut rows = vec![
        row("SingleStream p50", p50.ms, "ms", format!("{count} photos; {early}")),
        row("SingleStream p90", p90.ms, "ms", trust(p90, *count, 0.9)),
        row("SingleStream p99", p99.ms, "ms", trust(p99, *count, 0.99)),
    ];
    rows.extend(single.tiles_left_out.map(|share| row("Tiles left out", share * 100.0, "%", "")));
    let stages =
        single.stages.iter().map(|(stage, share)| row(format!("Share of {stage}"), share * 100.0, "%", ""));
    rows.extend(stages);
    rows
}

fn offline_rows(offline: &Offline) -> Vec<Row> {
    let busy = offline.cores_busy.map_or_else(String::new, |busy| format!(", {busy:.2} cores busy"));
    let mut rows =
        vec![row("Offline", offline.photos_per_s, "photos/s", format!("{} photos{busy}", offline.photos))];
    rows.extend(offline.cpu_ms_per_photo.map(|cpu| row("CPU time", cpu, "CPU ms/photo", "all threads")));
    rows.extend(offline.peak_memory.map(|bytes| {
        row(
            "Peak memory",
            bytes as f64 / 1e6,
            "MB",
            "resident, this process, the benchmark's photos included",
        )
    }));
    rows
}

/// How far a percentile can be trusted, in words.
fn trust(quantile: &Quantile, count: usize, p: f64) -> String {
    match quantile.at_most {
        Some(bound) => format!("≤ {bound:.1} ms with {:.0} % confidence", CONFIDENCE * 100.0),
        None => format!("{count} are too few for a bound: it takes {}", samples_needed(p)),
    }
}

fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn new_table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let latencies = Latencies::of((1..=100).map(f64::from).collect()).expect("some");
        Report {
            schema: SCHEMA,
            punchlens: "0.1.0".into(),
            machine: Machine {
                processor: "EPYC".into(),
                cores: 2,
                system: "linux x86_64".into(),
                load: Some(0.5),
            },
            model: "finish-defects 0.1.0".into(),
            precision: "int8".into(),
            runtime: "ONNX Runtime 1.31.1".into(),
            sessions: 2,
            provider_asked: "cuda".into(),
            provider_got: "cpu".into(),
            provider_why: "no driver".into(),
            jpeg: "rusty_jpeg".into(),
            mode: "standard".into(),
            coarse_to_fine: true,
            photos: 5,
            photo_bytes: 3_500_000,
            warm_up: WarmUp { looks: 3, first_ms: 90.0, last_ms: 80.0 },
            single_stream: Some(SingleStream {
                latencies: latencies.clone(),
                stages: vec![("decode".into(), 0.4), ("infer".into(), 0.6)],
                ended_early: 0.8,
                with_findings: 0.2,
                tiles_left_out: None,
            }),
            multi_stream: Some(MultiStream { burst: 8, latencies }),
            offline: Some(Offline {
                photos: 50,
                photos_per_s: 20.0,
                cpu_ms_per_photo: Some(90.0),
                cores_busy: Some(1.9),
                peak_memory: Some(200_000_000),
            }),
            server: Some(Server { bound_ms: 500.0, photos_per_s: 0.0, trials: vec![] }),
            ceiling: Some(Ceiling {
                decode_ms: 40.0,
                infer_ms: 50.0,
                photos_per_core_s: 11.11,
                whole_ms: 92.0,
                share: 0.978,
            }),
        }
    }

    #[test]
    fn a_report_survives_its_json() {
        let text = serde_json::to_string(&report()).expect("JSON");
        assert_eq!(serde_json::from_str::<Report>(&text).expect("a report"), report());
    }

    #[test]
    fn the_table_tells_what_ran_and_how_far_to_trust_it() {
        let (context, table) = (report().context(), report().table().to_string());
        assert!(context.contains("int8 on cpu (cuda was asked for: no driver)"), "{context}");
        for words in
            ["≤ 97.0 ms with 99 % confidence", "too few for a bound: it takes 459", "97.80", "80 % ended"]
        {
            assert!(table.contains(words), "{words} is not in\n{table}");
        }
    }

    #[test]
    fn two_runs_stand_side_by_side_with_what_differs() {
        let mut other = report();
        assert!(report().differences(&other).is_empty());
        other.precision = "fp32".into();
        other.ceiling = None;
        if let Some(offline) = &mut other.offline {
            offline.photos_per_s = 10.0;
        }
        assert_eq!(report().differences(&other), ["precision: int8, there fp32"]);
        let table = report().beside(&other).to_string();
        assert!(table.contains("2.000") && table.contains('–'), "{table}");
    }
}
