//! Who this box is: a random id in a file of its own. The lock on the file tells two services on one machine apart;
//! machine and file number tell a copied file from the original.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::ids::Sha256Digest;
use crate::store::BoxLife;

/// The most services that keep their ids beside one another.
const SERVICES_MAX: u32 = 16;

/// The longest content of a file that is read, bytes.
const CONTENT_MAX: u64 = 4096;

/// What the file holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptId {
    id: String,
    /// A digest of the machine's id, which is nobody else's business.
    machine: String,
    /// The file's own number: a copy has another one.
    inode: u64,
}

/// The identity of this box in this life.
#[derive(Debug)]
pub(super) struct Identity {
    /// As the store knows it.
    pub(super) life: BoxLife,
    /// Locked while the service lives.
    file: Option<File>,
    path: PathBuf,
}

impl Identity {
    /// Reads the id in `path`, or makes one where there is none, or where the file is a copy. Where another service
    /// on this machine uses the file, the next is used, `path` with `.2` and so on. Never fails: an id that cannot
    /// be kept lasts for this life.
    pub(super) fn open(path: &Path) -> Self {
        for number in 1..=SERVICES_MAX {
            let path = if number == 1 { path.to_owned() } else { numbered(path, number) };
            match locked(&path) {
                Ok(Some(file)) => return Self::of(file, path),
                Ok(None) => {}
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%error, %path, "this box's id cannot be kept: after a restart its running jobs wait until their leases end");
                    break;
                }
            }
        }
        Self { life: life(fresh_id(), String::new()), file: None, path: path.to_owned() }
    }

    fn of(mut file: File, path: PathBuf) -> Self {
        let (machine, inode) = (machine(), number_of(&file));
        let kept = read(&mut file);
        let place = format!("{machine} {} {inode} {}", start_of_machine(), device_of(&file));
        let same = |kept: &KeptId| kept.machine == machine && kept.inode == inode;
        let (id, fresh) = match kept {
            Some(kept) if same(&kept) => (kept.id, false),
            Some(_) => {
                tracing::warn!(path = %path.display(), "the file with this box's id was copied from another box: this box has a new id");
                (fresh_id(), true)
            }
            None => (fresh_id(), true),
        };
        let mut identity = Self { life: life(id, place), file: Some(file), path };
        if fresh {
            identity.keep();
        }
        identity
    }

    /// Takes a new id: another living box has this one.
    pub(super) fn renew(&mut self) {
        self.life.id = fresh_id();
        self.keep();
    }

    fn keep(&mut self) {
        let id = self.life.id.clone();
        let Some(file) = &mut self.file else { return };
        let kept = KeptId { id, machine: machine(), inode: number_of(file) };
        if let Err(error) = write(file, &kept) {
            tracing::warn!(%error, path = %self.path.display(), "this box's id cannot be kept");
        }
    }
}

/// Another name in each life: whoever shares an id, by a copied disk, shares no job.
fn life(id: String, place: String) -> BoxLife {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
    let host: String = host.trim().chars().filter(plain).take(40).collect();
    let host = if host.is_empty() { "box".to_owned() } else { host };
    BoxLife { owner: format!("{host}:{}", &fresh_id()[..16]), id, place }
}

fn fresh_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The file, locked; nothing when another service has it.
fn locked(path: &Path) -> io::Result<Option<File>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn read(file: &mut File) -> Option<KeptId> {
    let mut text = String::new();
    file.take(CONTENT_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, kept: &KeptId) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(kept)?.as_bytes())?;
    file.sync_all()
}

fn machine() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    Sha256Digest::of(format!("punchlens {}", id.trim()).as_bytes()).to_string()[..16].to_owned()
}

/// Another value after each start of the machine.
fn start_of_machine() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(unix)]
fn number_of(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| std::os::unix::fs::MetadataExt::ino(&metadata))
}

#[cfg(unix)]
fn device_of(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| std::os::unix::fs::MetadataExt::dev(&metadata))
}

#[cfg(not(unix))]
fn number_of(_: &File) -> u64 {
    0
}

#[cfg(not(unix))]
fn device_of(_: &File) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_outlives_its_life_and_the_owner_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("review.box");
        let first = Identity::open(&path);
        let (id, owner) = (first.life.id.clone(), first.life.owner.clone());
        let beside = Identity::open(&path);
        assert_ne!(beside.life.id, id, "two services that live at once");
        drop(first);
        let again = Identity::open(&path);
        assert_eq!((&again.life.id, &again.life.place), (&id, &again.life.place));
        assert_ne!(again.life.owner, owner);
    }

    #[test]
    fn a_copy_and_half_a_file_have_a_new_id() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("review.box");
        let id = Identity::open(&path).life.id;
        let copy = folder.path().join("copy.box");
        std::fs::copy(&path, &copy).expect("copies");
        let other = Identity::open(&copy).life.id;
        assert_ne!(other, id);
        assert_eq!(Identity::open(&copy).life.id, other, "and it keeps that");
        std::fs::write(&path, "{\"id\":\"4f").expect("writes");
        assert_ne!(Identity::open(&path).life.id, id);
    }

    #[test]
    fn a_file_that_cannot_be_had_is_no_reason_to_stop() {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity::open(folder.path());
        assert!(identity.file.is_none() && !identity.life.id.is_empty());
    }
}
