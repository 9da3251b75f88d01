//! `punchlens audit`: the chain of evidence checked, and packs of it for those who do not trust this box.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use zip::write::SimpleFileOptions;

use super::Settings;
use crate::domain::evidence::pack::Pack;
use crate::domain::ids::{FindingId, Sha256Digest};
use crate::store::{CardQuery, Evidence, RowDifference, RowsReport, Store};

/// The story and its proof within a pack.
const EVIDENCE: &str = "evidence.json";
/// A program within a pack that checks it and needs nothing of ours.
const RECIPE: (&str, &str) = ("verify.py", include_str!("../domain/verify_evidence.py"));
/// Longest entry of a pack that is read, bytes.
const ENTRY_MAX: u64 = 1 << 30;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check all chains of this box and its findings and photos against it, or evidence packs, which need no
    /// database.
    Verify {
        /// Packs made by `audit export`.
        packs: Vec<PathBuf>,
        /// A head that was noted down on another day: a chain must contain it.
        #[arg(long, value_name = "HASH", conflicts_with = "packs")]
        head: Option<Sha256Digest>,
    },
    /// Write one evidence pack for each finding: the story, its proof, the pictures and a program that checks them.
    Export {
        /// The findings; all of them when none is named.
        findings: Vec<FindingId>,
        /// Where to.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Verify { packs, head } if packs.is_empty() => verify_chain(&settings, head).await,
        Action::Verify { packs, .. } => Ok(verify_packs(&packs)),
        Action::Export { findings, out } => export(&settings, findings, &out).await,
    }
}

async fn verify_chain(settings: &Settings, noted: Option<Sha256Digest>) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let store = Store::open(&settings.config.store, now).await?;
    let report = store.verify_audit().await?;
    let rows = store.verify_rows().await?;
    let noted = match noted {
        Some(hash) => Some((hash, store.audit_row_with(&hash).await?)),
        None => None,
    };
    let sound = report.broken.is_none() && rows.differing == 0;
    // What does not hold is not to be vouched for.
    let head = if sound { store.seal_audit(now).await? } else { report.head };
    store.close().await;
    match &report.broken {
        None => println!("holds: {} rows in {} chains", report.rows, report.chains.len()),
        Some(at) => println!("WRONG at row {} of the {} chain: {}", at.seq, at.chain, at.what),
    }
    tell_rows(&rows);
    println!("head: {head}");
    let known = match noted {
        None => true,
        Some((hash, Some((chain, row)))) => {
            println!("the noted head {hash} is row {row} of the {chain} chain");
            true
        }
        Some((hash, None)) => {
            println!("WRONG: the noted head {hash} is in no chain: one was cut or rewritten");
            false
        }
    };
    Ok(if sound && known { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Says which rows are not as the chain says.
fn tell_rows(rows: &RowsReport) {
    if rows.differing == 0 {
        println!("{} findings and {} photos are as the chain says", rows.findings, rows.photos);
    }
    for RowDifference { subject, what } in &rows.differ {
        println!("WRONG: {subject}: {}", what.join("; "));
    }
    let unnamed = rows.differing - rows.differ.len() as u64;
    if unnamed > 0 {
        println!("WRONG: {unnamed} more rows differ from what the chain says");
    }
}

fn verify_packs(packs: &[PathBuf]) -> ExitCode {
    let mut wrong = false;
    for path in packs {
        match verify_pack(path) {
            Ok(pack) => {
                let head = pack.head().map(|head| head.to_string()).unwrap_or_default();
                println!("{}: holds, {} facts, head {head}", path.display(), pack.story.len());
            }
            Err(error) => {
                wrong = true;
                println!("{}: WRONG: {error:#}", path.display());
            }
        }
    }
    if wrong { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// Reads a pack and checks it.
fn verify_pack(path: &Path) -> anyhow::Result<Pack> {
    let mut files = read_pack(path)?;
    let evidence = files.remove(EVIDENCE).with_context(|| format!("there is no {EVIDENCE} in it"))?;
    let pack: Pack = serde_json::from_slice(&evidence).context("it cannot be read")?;
    pack.verify(&files)?;
    Ok(pack)
}

fn read_pack(path: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(File::open(path)?).context("it is no pack")?;
    let mut files = BTreeMap::new();
    for number in 0..archive.len() {
        let entry = archive.by_index(number)?;
        let name = entry.name()?.into_owned();
        let mut bytes = Vec::new();
        entry.take(ENTRY_MAX).read_to_end(&mut bytes).with_context(|| name.clone())?;
        files.insert(name, bytes);
    }
    Ok(files)
}

async fn export(settings: &Settings, findings: Vec<FindingId>, out: &Path) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let store = Store::open(&settings.config.store, now).await?;
    let findings = if findings.is_empty() { every_finding(&store).await? } else { findings };
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    for finding in findings {
        let evidence = store.evidence(finding, now).await?;
        // What does not hold here would not hold elsewhere.
        evidence.pack.verify(&evidence.pictures).with_context(|| format!("finding {finding}"))?;
        let path = out.join(format!("finding-{finding}.zip"));
        write_pack(&path, &evidence).with_context(|| format!("{} cannot be written", path.display()))?;
        println!("{}", path.display());
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn every_finding(store: &Store) -> anyhow::Result<Vec<FindingId>> {
    let mut findings = Vec::new();
    loop {
        let query =
            CardQuery { offset: u32::try_from(findings.len()).unwrap_or(u32::MAX), ..CardQuery::default() };
        let cards = store.cards(&query).await?;
        if cards.is_empty() {
            break;
        }
        findings.extend(cards.into_iter().map(|card| card.finding.id));
    }
    ensure!(!findings.is_empty(), "there is no finding yet");
    Ok(findings)
}

fn write_pack(path: &Path, evidence: &Evidence) -> anyhow::Result<()> {
    let mut archive = zip::ZipWriter::new(File::create(path)?);
    let options = SimpleFileOptions::default();
    let mut add = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        archive.start_file(name, options)?;
        Ok(archive.write_all(bytes)?)
    };
    add(EVIDENCE, &serde_json::to_vec_pretty(&evidence.pack)?)?;
    add(RECIPE.0, RECIPE.1.as_bytes())?;
    for (name, bytes) in &evidence.pictures {
        add(name, bytes)?;
    }
    archive.finish()?.sync_all()?;
    Ok(())
}
