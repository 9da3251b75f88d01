//! `punchlens doctor`: is everything there that the service needs, and how to mend what is not.

mod people;

use std::process::ExitCode;
use std::time::Instant;

use super::Settings;
use crate::app::doctor::{self, CheckLine, CheckStatus, DoctorContext};
use crate::app::rules;
use crate::config::Config;
use crate::domain::picture::Picture;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{self, package};
use crate::pipeline::reference;
use crate::procore::Client;

pub(super) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    let config = settings.config;
    let credentials = crate::secrets::credentials();
    let inference = config.inference.clone();
    let mut lines = tokio::task::spawn_blocking(move || self_test(&inference)).await?;
    let opened = DoctorContext::open(&config, credentials.as_deref()).await;
    lines.extend(doctor::examine(&config, credentials.as_deref(), &opened).await);
    lines.push(told("sign-in", people::sign_in(&config, opened.store.as_ref()).await));
    lines.push(told("privacy", people::privacy(&config)));
    if let Ok(client) = &opened.client {
        lines.extend(tagging(&config, client).await);
    }
    opened.close().await;
    for CheckLine { name, verdict, detail, mend } in &lines {
        let word = match verdict {
            CheckStatus::Ok => "ok   ",
            CheckStatus::Note => "note ",
            CheckStatus::Wrong => "WRONG",
        };
        println!("{word}  {name}: {detail}");
        if !mend.is_empty() {
            println!("       → {mend}");
        }
    }
    let wrong = lines.iter().any(|line| line.verdict == CheckStatus::Wrong);
    Ok(if wrong { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn told(name: &'static str, told: people::CheckResult) -> CheckLine {
    told.map_or_else(|wrong| CheckLine::wrong(name, wrong, ""), |detail| CheckLine::ok(name, detail))
}

/// Loads the model and times one look: what is asked for is worth nothing until it has worked.
fn self_test(config: &inference::Config) -> Vec<CheckLine> {
    let wrong = |error: inference::Error| {
        let provider = format!("asked for {}; not tried, as the model comes first", config.provider.name());
        vec![
            CheckLine::wrong(
                "model",
                error.to_string(),
                "punchlens models and punchlens runtime show tell more",
            ),
            CheckLine::note("provider", provider, ""),
        ]
    };
    let detector = match inference::load(config) {
        Ok(detector) => detector,
        Err(error) => return wrong(error),
    };
    let side = detector.long_side();
    let grey = Picture::grey(side);
    let started = Instant::now();
    if let Err(error) = detector.detect(&grey, Thoroughness::Standard) {
        return wrong(error);
    }
    let (model, took) = (detector.model(), started.elapsed().as_millis());
    let provider = detector.provider();
    let (asked, got) = (provider.asked.name(), provider.got.name());
    let model_line = format!(
        "{} ({}), one look in {took} ms, runtime {}; {}",
        model.label(),
        model.precision.name(),
        model.runtime,
        model.licence.statement,
    );
    let provider_line = if asked == got {
        CheckLine::ok("provider", format!("{got}, as asked for"))
    } else {
        CheckLine::wrong(
            "provider",
            format!("{asked} was asked for, {got} is used: {}", provider.why),
            "punchlens runtime show names the one that is installed; set inference.provider to what the box has",
        )
    };
    vec![CheckLine::ok("model", model_line), provider_line]
}

/// What of each project's rules and site file finds no counterpart in Procore. Drafts are made all the same, without
/// what is missing.
async fn tagging(config: &Config, client: &Client) -> Vec<CheckLine> {
    const NAME: &str = "tagging";
    match gaps(config, client).await {
        Ok(gaps) if gaps.is_empty() => {
            vec![CheckLine::ok(NAME, "every rule finds its counterpart in Procore")]
        }
        Ok(gaps) => gaps.into_iter().map(|gap| CheckLine::note(NAME, gap, "")).collect(),
        Err(error) => {
            let mend = "check [tagging] and the files that it names; fix the lines above first";
            vec![CheckLine::wrong(NAME, format!("{error:#}"), mend)]
        }
    }
}

async fn gaps(config: &Config, client: &Client) -> anyhow::Result<Vec<String>> {
    let rules = rules::load(&config.tagging, &config.procore.permitted())?;
    let model = package::open(&config.inference)?;
    let classes: Vec<&str> = model.manifest.classes.iter().map(|class| class.name.as_str()).collect();
    let mut notes = Vec::new();
    for (project, rules) in &rules {
        let reference = reference::fresh(client, *project).await?;
        let missing = rules.tagging.missing_classes(&classes);
        anyhow::ensure!(missing.is_empty(), "no rule of project {project} covers {}", missing.join(", "));
        let gaps = rules.tagging.gaps(&classes, &reference.catalogue);
        notes.extend(gaps.into_iter().map(|gap| format!("project {project}: {gap}")));
        let site = rules.site.as_ref().map(|site| site.check(&reference.locations).len());
        if let Some(faults) = site.filter(|faults| *faults > 0) {
            notes.push(format!(
                "project {project}: {faults} areas of the site file need fixing: run punchlens site check"
            ));
        }
    }
    Ok(notes)
}
