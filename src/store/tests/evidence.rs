//! Packs checked by the program that lies in them.

use std::process::Command;

use serde_json::json;

use super::{Fresh, MUTING, accepted, analyse, at, card, drafts, on_both, record, started};
use crate::domain::punch_item::Edits;
use crate::domain::review::{Decision, Verdict};

on_both![odd_numbers_and_texts_are_proven_without_our_code];

/// Numbers and texts that a careless round through JSON changes.
fn odd() -> serde_json::Value {
    json!({
        "sum": 0.1 + 0.2,
        "small": 1e-7,
        "tiny": f64::MIN_POSITIVE,
        "subnormal": 5e-324,
        "large": 1.797_693_134_862_315_7e308,
        "negative_zero": -0.0,
        "narrow": [0.1_f32, 0.7_f32, 1.0_f32 / 3.0, f32::MIN_POSITIVE],
        "beyond_2_53": [9_007_199_254_740_993_i64, i64::MIN, u64::MAX],
        "texts": ["Riß – 裂缝 \u{1f9f1}", "\u{0}\u{7f}\u{2028}\"\\/", "e\u{301}", ""],
    })
}

async fn odd_numbers_and_texts_are_proven_without_our_code(fresh: Fresh) {
    let mut record = record(1, b"odd");
    record.evidence = odd();
    let card = card(&record, "crack", 0.7, at(1));
    let finding = card.finding.id;
    let lease = started(&fresh.store, analyse(1), 1).await.lease;
    fresh.store.record_photo(&lease, &record, Some(&drafts(&[card])), at(1)).await.expect("records");
    let edits = Edits { description: Some("Mörtel\tfehlt\r\n\u{1f9f1}".into()), ..Edits::default() };
    let decision = Decision { verdict: Verdict::Accept { edits }, ..accepted("Zoë", 2) };
    fresh.store.decide(finding, &decision, MUTING).await.expect("decides");

    let evidence = fresh.store.evidence(finding, at(3)).await.expect("there");
    evidence.pack.verify(&evidence.pictures).expect("holds");
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
    place("evidence.json", &serde_json::to_vec_pretty(&evidence.pack).expect("JSON"));
    place("verify.py", include_bytes!("../../domain/verify_evidence.py"));
    for (name, bytes) in &evidence.pictures {
        place(name, bytes);
    }
    let Ok(checked) = Command::new("python3").arg("verify.py").current_dir(folder.path()).output() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no python3 to check packs with");
        return println!("SKIPPED: no python3 to check packs with");
    };
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert!(checked.status.success() && said.contains("holds"), "{said}");
}
