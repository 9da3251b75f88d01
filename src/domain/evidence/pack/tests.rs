use proptest::prelude::*;

use super::*;
use crate::domain::evidence::Seal;
use crate::domain::ids::{CompanyId, ProjectId};

fn fact(seq: i64, subject: &str, detail: &Value) -> Fact {
    Fact {
        seq,
        at: 1_800_000_000_000 + seq,
        kind: "something.happened".into(),
        subject: subject.into(),
        actor: "dana".into(),
        detail: detail.to_string(),
    }
}

const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

fn chain(name: &str, first: i64, rows: Vec<Row>) -> Chain {
    let before = Sha256Digest::of(b"what was before");
    let head = rows.iter().fold(before, |hash, row| match row {
        Row::Ours(fact) => chained(&hash, &fact.digest()),
        Row::Other(digest) => chained(&hash, digest),
    });
    Chain { name: name.into(), first, before, rows, head }
}

fn pack() -> (Pack, BTreeMap<String, Vec<u8>>) {
    let finding = FindingId::of(PROJECT, &Sha256Digest::of(b"photo"), "crack");
    let picture = b"a picture".to_vec();
    let recorded = serde_json::json!({ "picture_sha256": Sha256Digest::of(&picture) });
    let ours = [
        fact(5, "photo:77", &recorded),
        fact(6, &format!("finding:{finding}"), &serde_json::json!({ "score": 0.9 })),
        fact(8, &format!("finding:{finding}"), &serde_json::json!({ "verdict": "accept" })),
    ];
    let other = fact(7, "photo:78", &Value::Null).digest();
    let story = ours.iter().filter_map(|fact| tell("8/6778", fact)).collect();
    let [a, b, c] = ours;
    let own = chain("8/6778", 5, vec![Row::Ours(a), Row::Ours(b), Row::Other(other), Row::Ours(c)]);
    let seal = serde_json::json!(Seal { seq: 8, hash: own.head });
    let seal = Fact { kind: SEALED.into(), ..fact(3, "project:8/6778", &seal) };
    let pack = Pack {
        format: FORMAT.into(),
        made_by: "punchlens".into(),
        made_at: "2027-01-15T08:00:00Z".into(),
        finding,
        project: PROJECT,
        pictures: BTreeMap::from([("photo-77.jpg".into(), "77".into())]),
        story,
        chains: vec![chain(GENERAL, 3, vec![Row::Ours(seal)]), own],
        chain: None,
    };
    (pack, BTreeMap::from([("photo-77.jpg".into(), picture)]))
}

/// The same as a former version wrote it.
fn former() -> (Pack, BTreeMap<String, Vec<u8>>) {
    let (mut pack, pictures) = pack();
    let mut own = pack.chains.remove(1);
    own.name = GENERAL.into();
    for told in &mut pack.story {
        told.chain = GENERAL.into();
    }
    (Pack { format: FORMER_FORMAT.into(), chains: vec![], chain: Some(own), ..pack }, pictures)
}

#[test]
fn an_honest_pack_holds_also_after_a_round_through_json() {
    let (pack, pictures) = pack();
    assert_eq!(pack.verify(&pictures), Ok(()));
    let text = serde_json::to_string(&pack).expect("JSON");
    let again: Pack = serde_json::from_str(&text).expect("the same");
    assert_eq!((again.verify(&pictures), &again), (Ok(()), &pack));
    assert_eq!(pack.head(), Some(pack.chains[0].head));
}

#[test]
fn every_change_shows() {
    type Change<'a> = &'a dyn Fn(&mut Pack, &mut BTreeMap<String, Vec<u8>>);
    let check = |change: Change<'_>, expected: Fault| {
        let (mut pack, mut pictures) = pack();
        change(&mut pack, &mut pictures);
        assert_eq!(pack.verify(&pictures), Err(expected));
    };
    check(&|pack, _| pack.format = "other".into(), Fault::Format("other".into()));
    check(&|_, pictures| pictures.clear(), Fault::Missing("photo-77.jpg".into()));
    check(
        &|_, pictures| pictures.values_mut().for_each(|bytes| bytes[0] ^= 1),
        Fault::Picture("photo-77.jpg".into()),
    );
    let broken = |name: &str| Fault::Broken(name.into());
    check(&|pack, _| pack.chains[1].rows.truncate(3), broken("8/6778"));
    check(&|pack, _| pack.chains[0].rows.truncate(0), broken(GENERAL));
    check(&|pack, _| pack.chains[1].rows.swap(0, 1), Fault::Order(6));
    check(&|pack, _| drop(pack.chains.remove(0)), Fault::Loose("8/6778".into()));
    let other_row = |pack: &mut Pack| {
        let seal = serde_json::json!(Seal { seq: 7, hash: pack.chains[1].head });
        let seal = Fact { kind: SEALED.into(), ..fact(3, "project:8/6778", &seal) };
        pack.chains[0] = chain(GENERAL, 3, vec![Row::Ours(seal)]);
    };
    check(&move |pack, _| other_row(pack), Fault::Loose("8/6778".into()));
    check(&|pack, _| pack.story.truncate(2), Fault::Story(8));
    check(&|pack, _| pack.story[1].detail["score"] = 0.1.into(), Fault::Story(6));
    check(&|pack, _| pack.story[1].actor = "lee".into(), Fault::Story(6));
    check(
        &|pack, _| pack.finding = FindingId::of(pack.project, &Sha256Digest::of(b"x"), "crack"),
        Fault::Empty,
    );
}

#[test]
fn a_pack_of_a_former_version_holds() {
    let (mut pack, pictures) = former();
    let text = serde_json::to_string(&pack).expect("JSON");
    // As it was written then: neither chains nor names of chains.
    let text = text.replace("\"chains\":[],", "").replace("\"chain\":\"general\",", "");
    let text = text.replace("\"name\":\"general\",", "");
    let read: Pack = serde_json::from_str(&text).expect("the former form");
    assert_eq!((read.verify(&pictures), &read), (Ok(()), &pack));
    // One bit off, as the parser of that time left it.
    let score = pack.story[1].detail["score"].as_f64().expect("a number");
    pack.story[1].detail["score"] = f64::from_bits(score.to_bits() + 1).into();
    assert_eq!(pack.verify(&pictures), Ok(()));
    pack.story[1].detail["score"] = 0.900_000_1.into();
    assert_eq!(pack.verify(&pictures), Err(Fault::Story(6)));
}

proptest! {
    /// A story has the very numbers of the chain, also after a round through JSON.
    #[test]
    fn numbers_keep_every_digit(bits: u64, whole: i64, narrow: f32) {
        let number = f64::from_bits(bits);
        let detail = serde_json::json!({ "n": number, "whole": whole, "narrow": narrow });
        let text = detail.to_string();
        let story = tell(GENERAL, &fact(1, "finding:1", &detail)).expect("JSON").detail;
        prop_assert_eq!(story.to_string(), text.clone());
        prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON").to_string(), text);
    }

    /// Whatever column of whatever fact is changed, the chain does not lead to its head any more.
    #[test]
    fn no_column_can_be_changed(row in 0_usize..4, column in 0_usize..5, text in "[a-z]{1,8}") {
        let (mut pack, _) = pack();
        match &mut pack.chains[1].rows[row] {
            Row::Other(digest) => *digest = Sha256Digest::of(text.as_bytes()),
            Row::Ours(fact) => match column {
                0 => fact.at += 1,
                1 => fact.kind = text,
                2 => fact.subject = text,
                3 => fact.actor = text,
                _ => fact.detail = text,
            },
        }
        prop_assert_eq!(pack.verify_chains(), Err(Fault::Broken("8/6778".into())));
    }
}
