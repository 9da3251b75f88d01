//! Open a page in the person's browser.

use std::process::{Command, Stdio};

use anyhow::Context as _;

/// Asks the desktop to open `link`.
pub(super) fn open(link: &str) -> anyhow::Result<()> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    Command::new(opener)
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{opener} does not start; open the printed address by hand"))?;
    Ok(())
}
