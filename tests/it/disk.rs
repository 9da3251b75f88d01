//! A disk that fills up, and one that turns read-only: a small one of its own, under the whole service.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use punchlens::store::{Error, Store};
use tempfile::TempDir;

use crate::support::detector::{photo, sees};
use crate::support::{Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

/// A disk of a few megabytes.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Or why it may not be mounted.
    fn mounted() -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder");
        mount(&["-t", "tmpfs", "-o", "size=6m", "tmpfs"], folder.path()).map(|()| Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("ballast")).expect("makes");
        for size in [65_536, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn clear(&self) {
        std::fs::remove_file(self.path().join("ballast")).expect("removes");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is still open goes on until it is closed.
        let _unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).arg(at).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_is_told_and_work_goes_on_by_itself_afterwards() {
    let disk = match SmallDisk::mounted() {
        Ok(disk) => disk,
        Err(reason) => return println!("SKIPPED: no small disk without root on Linux: {reason}"),
    };
    let file = disk.path().join("punchlens.db");
    let settings = vec![
        ("PUNCHLENS_STORE__PATH", file.display().to_string()),
        ("PUNCHLENS_STORE__FREE_BYTES_MIN", "1".to_owned()),
    ];
    let app = TestApp::start(sees(&["crack"]), Setup { settings, ..Setup::default() }).await;
    app.upload("before.jpg", photo(true, 0), &UNIT).await;
    app.until_settled(1).await;

    disk.fill();
    // The log has room of its own for a while.
    app.until_text("/readyz", "the disk is full: free some space").await;
    for salt in 1..=3 {
        app.upload("while.jpg", photo(true, salt), &UNIT).await;
    }
    let refused = async || {
        let deliveries = app.simulator.deliveries();
        deliveries.iter().flat_map(|delivery| &delivery.attempts).any(|attempt| attempt.status == Some(503))
    };
    app.patiently("a delivery that is not taken", refused).await;
    assert_eq!(app.photos().await.len(), 1);

    disk.clear();
    app.simulator.advance(Duration::from_mins(1));
    app.until_settled(4).await;
    app.until_text("/readyz", "\"ready\":true").await;
    assert_eq!(app.items().len(), 4);
    let config = app.config.store.clone();
    app.finish().await;

    // The same database on a disk that came back read-only, as after a failure.
    mount(&["-o", "remount,ro"], disk.path()).expect("nobody has it open");
    let refused = Store::open(&config, Timestamp::now()).await.expect_err("it cannot be written");
    assert!(matches!(refused, Error::ReadOnly), "{refused:?}");
    mount(&["-o", "remount,rw"], disk.path()).expect("mends");
    let store = Store::open(&config, Timestamp::now()).await.expect("opens again");
    assert_eq!(store.photos_summary().await.expect("reads").len(), 4);
    store.close().await;
}
