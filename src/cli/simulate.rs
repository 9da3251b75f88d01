//! `punchlens simulate`: a simulated Procore to try things on, as a process of its own.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::domain::ids::LocationId;
use crate::simulator::{Faults, Limits, Options, PhotoUpload, Simulator, seed};

/// File names with these endings are photos.
const PHOTO_ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "heic", "heif"];

/// The presets, and what can be set while it runs.
const FAULTS_HELP: &str = "What goes wrong: none, mild, harsh or late.\n\n\
    late is harsh, and a fifth of all writes to the Punch List is carried out up to 90 s after the caller \
    was cut off or answered with an error. Anything else is set while it runs, as JSON: POST \
    /simulator/faults takes \"script\" (a list of {\"method\", \"path\", \"after\", \"times\", \"kind\", …}; \
    kinds: status, reset_before, reset_after, status_after, truncated_body, slow_drip, stall, silence, \
    commit_late, revoke_token), \"rate\" with \"kinds\", \"late\" {\"rate\", \"up_to_ms\"}, \"webhooks\", \
    \"drafts_ignored\", and \"echo\" {\"crlf\", \"entities\", \"trimmed\", \"decomposed\", \"images\": \
    \"as_sent\", \"empty\" or \"file_ids\"}. commit_late takes \"after_ms\", \"heard\" (\"silence\", \
    \"reset\" or \"gateway_timeout\") and \"backdated\". POST /simulator/advance {\"seconds\"} moves its \
    clock on.";

/// Run a simulated Procore that this machine can talk to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8790", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Upload every photo of this folder, one after the other, once a hook listens for photos.
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Do not wait for a hook before uploading.
    #[arg(long, requires = "photos")]
    at_once: bool,
    /// Make a hook for photos, punch items and locations that sends its events to this address.
    #[arg(long, value_name = "URL", requires = "authorization")]
    destination: Option<String>,
    /// The `Authorization` value that the hook sends along.
    #[arg(long, value_name = "VALUE", requires = "destination")]
    authorization: Option<String>,
    /// Everything random is drawn from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What goes wrong: none, mild, harsh or late.
    #[arg(long, default_value = "none", value_name = "PRESET", long_help = FAULTS_HELP)]
    faults: String,
    /// Do not enforce the request limits (600 an hour, 25 in 10 seconds).
    #[arg(long)]
    no_limits: bool,
}

/// Runs the simulator until Ctrl-C.
///
/// # Errors
/// When the address is taken, the folder cannot be read, or an argument makes no sense.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(faults) = Faults::preset(&args.faults) else {
        bail!("'{}' is no preset of faults: use one of {}", args.faults, Faults::PRESETS.join(", "));
    };
    let options = Options {
        listen: args.listen,
        storage_listen: SocketAddr::new(args.listen.ip(), 0),
        seed: args.seed,
        faults,
        limits: if args.no_limits { Limits::generous() } else { Limits::default() },
        strict: false,
        ..Options::default()
    };
    let simulator = Simulator::start(options)
        .await
        .with_context(|| format!("cannot listen on {}: choose another address with --listen", args.listen))?;
    introduce(&simulator, out)?;
    if let (Some(destination), Some(authorization)) = (&args.destination, &args.authorization) {
        let hook = simulator.add_hook(seed::PROJECT, destination, authorization, "v4.0");
        let hook = hook.map_err(|problem| anyhow::anyhow!("--destination: {problem}"))?;
        writeln!(out, "hook {hook} sends its events to {destination}")?;
    }
    let interrupted = tokio::signal::ctrl_c();
    let work = async {
        if let Some(folder) = &args.photos {
            upload_all(&simulator, folder, args.at_once, out).await?;
        }
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        stopped = interrupted => stopped.context("cannot wait for Ctrl-C")?,
        failed = work => failed?,
    }
    simulator.stop().await;
    Ok(())
}

fn introduce(simulator: &Simulator, out: &mut impl Write) -> std::io::Result<()> {
    let url = simulator.url();
    let base = url.as_str().trim_end_matches('/');
    let (client_id, client_secret) = simulator.credentials();
    writeln!(
        out,
        "Simulated Procore on {base} (open it in a browser), storage on {}",
        simulator.storage_url()
    )?;
    writeln!(out, "To point `punchlens serve` at it, put this into its configuration:\n")?;
    writeln!(out, "[procore]")?;
    writeln!(out, "environment = \"custom\"")?;
    writeln!(out, "api_url = \"{base}\"")?;
    writeln!(out, "login_url = \"{base}\"")?;
    writeln!(out, "client_id = \"{client_id}\"")?;
    writeln!(out, "client_secret = \"{client_secret}\"")?;
    writeln!(out, "allow_loopback = true\n")?;
    writeln!(out, "[[procore.projects]]")?;
    writeln!(out, "company = {}", seed::COMPANY)?;
    writeln!(out, "project = {}", seed::PROJECT)?;
    writeln!(out, "mode = \"draft\"\n")?;
    writeln!(out, "A photo from the command line: curl -F photo=@crack.jpg {base}/simulator/photos\n")?;
    out.flush()
}

async fn upload_all(
    simulator: &Simulator,
    folder: &Path,
    at_once: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let files = photos_in(folder)?;
    if !at_once {
        writeln!(out, "{} photos wait for a hook", files.len())?;
        simulator.until(|simulator| simulator.hooks().iter().any(listens_for_photos)).await;
    }
    let units = units(simulator);
    for (place, path) in files.iter().enumerate() {
        let bytes = tokio::fs::read(path).await.with_context(|| format!("cannot read {}", path.display()))?;
        let filename = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let location = units.get(place % units.len().max(1)).copied();
        let photo = PhotoUpload { filename: filename.clone(), bytes, location, ..PhotoUpload::default() };
        let id = simulator.upload_photo(seed::PROJECT, photo).await?;
        writeln!(out, "uploaded {filename} as {id}")?;
    }
    writeln!(out, "{} photos uploaded; Ctrl-C ends the simulator", files.len())?;
    Ok(out.flush()?)
}

fn listens_for_photos(hook: &crate::simulator::Hook) -> bool {
    hook.enabled && hook.triggers.iter().any(|trigger| trigger.resource == "Images")
}

/// The rooms of the seeded project, where photos are taken.
fn units(simulator: &Simulator) -> Vec<LocationId> {
    let rooms = simulator.locations().into_iter().filter(|(_, path)| path.len() == 3);
    rooms.map(|(id, _)| id).collect()
}

fn photos_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            PHOTO_ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
        })
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{} holds no photos ({})", folder.display(), PHOTO_ENDINGS.join(", "));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_introduction_is_a_configuration() {
        let simulator = Simulator::start(Options::default()).await.expect("starts");
        let mut text = Vec::new();
        introduce(&simulator, &mut text).expect("writes");
        let text = String::from_utf8(text).expect("text");
        let start = text.find("[procore]").expect("a section");
        let end = text.find("A photo from").expect("an end");
        let config: toml::Table = text[start..end].parse().expect("TOML");
        assert_eq!(config["procore"]["projects"][0]["project"].as_integer(), Some(6778));
        assert_eq!(config["procore"]["allow_loopback"].as_bool(), Some(true));
    }

    #[test]
    fn folders_without_photos_say_so() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(photos_in(folder.path()).is_err());
        for name in ["b.JPG", "a.png", "notes.txt"] {
            std::fs::write(folder.path().join(name), b"").expect("writes");
        }
        let names: Vec<PathBuf> = photos_in(folder.path()).expect("photos");
        let names: Vec<_> = names.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["a.png", "b.JPG"]);
    }
}
