//! Photos that cannot be looked at for now: what is tried again, and how long, before it is settled.

use std::time::Duration;

use bytes::Bytes;

use super::{Context, Failure, describe};
use crate::domain::ids::{ImageId, PhotoId, ProjectKey, Sha256Digest};
use crate::domain::photo_retries::{DownloadProblem, DownloadTries, FileCheck, NextStep, judge};
use crate::domain::retry::Disposition;
use crate::photo;
use crate::procore;
use crate::procore::images::{Image, ImageFilter};
use crate::store::ClaimedJob;

/// Bytes by which text is told from a file.
const SNIFFED_BYTES: usize = 512;

/// Whether Procore shows a photo.
pub(super) enum PhotoLookup {
    Yes(Box<Image>),
    /// It has not for hours.
    No {
        reason: String,
    },
}

/// What came in place of a photo.
pub(super) struct UnusableDownload {
    bytes: u64,
    text: bool,
    content: Sha256Digest,
}

impl UnusableDownload {
    pub(super) fn of(bytes: &Bytes, content: Sha256Digest) -> Self {
        Self { bytes: bytes.len() as u64, text: is_text(bytes), content }
    }
}

/// Whether `bytes` are a page, a message or nothing: no file of a picture is text from its first byte on.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(SNIFFED_BYTES)];
    start.iter().all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
        && !start.starts_with(b"\xFF\xD8")
}

/// The photo as Procore describes it.
///
/// # Errors
/// When Procore does not answer, or does not show the photo and it is asked again later.
pub(super) async fn shown(
    context: &Context,
    claimed: &ClaimedJob,
    project: ProjectKey,
    id: ImageId,
) -> Result<PhotoLookup, Failure> {
    let reason = match describe::image(context, project, id, claimed.enqueued_at).await {
        Ok(image) => return Ok(PhotoLookup::Yes(Box::new(image))),
        Err(procore::Error::NotFound { .. }) => {
            "Procore does not show it to this service: it is private or deleted".to_owned()
        }
        // The photo's own, or that of the whole tool, which a person must mend: a list tells them apart.
        Err(procore::Error::Forbidden { message }) => {
            let filter = ImageFilter { ids: vec![id], updated_between: None };
            let listed = context.procore.images(project, &filter).await?;
            if let Some(image) = listed.into_iter().find(|image| image.id == id) {
                return Ok(PhotoLookup::Yes(Box::new(image)));
            }
            format!("Procore forbids it to this service, perhaps because it is private: {message}")
        }
        Err(error) => return Err(error.into()),
    };
    again(context, (project, id), "", DownloadProblem::NotShown, None, &reason).await?;
    Ok(PhotoLookup::No { reason })
}

/// Lets a picture pass that is as long as Procore says, or that keeps coming as it is. `part` says whether the end of it
/// is missing.
///
/// # Errors
/// When it is fetched again later.
pub(super) async fn readable(
    context: &Context,
    project: ProjectKey,
    image: &Image,
    came: &UnusableDownload,
    part: bool,
) -> Result<(), Failure> {
    let reading = if part { FileCheck::Part } else { FileCheck::Picture };
    let Some(trouble) = judge(image.size, came.bytes, reading) else { return Ok(()) };
    let what = if part {
        "only a part of the photo came"
    } else {
        "a picture of another length than the photo came"
    };
    let reason = lengths(image, came, what);
    again(context, (project, image.id), &image.filename, trouble, Some(came.content), &reason).await
}

/// Returns once the photo itself is unreadable, and not only what came in its place.
///
/// # Errors
/// When it is fetched again later.
pub(super) async fn unreadable(
    context: &Context,
    project: ProjectKey,
    image: &Image,
    came: &UnusableDownload,
    error: &photo::Error,
) -> Result<(), Failure> {
    let reading = if came.text { FileCheck::Text } else { FileCheck::Unreadable };
    let Some(trouble) = judge(image.size, came.bytes, reading) else { return Ok(()) };
    let reason = match trouble {
        DownloadProblem::NotThePhoto if came.text => {
            lengths(image, came, "something between this box and Procore sent a text or page instead")
        }
        DownloadProblem::NotThePhoto => {
            lengths(image, came, "only a part of the photo came, or another file")
        }
        _ => error.to_string(),
    };
    again(context, (project, image.id), &image.filename, trouble, Some(came.content), &reason).await
}

fn lengths(image: &Image, came: &UnusableDownload, what: &str) -> String {
    match image.size {
        Some(size) => format!("{what}: {} bytes, where Procore has {size}", came.bytes),
        None => format!("{what}: {} bytes", came.bytes),
    }
}

/// Notes an attempt that came to `trouble`. Returns once that is settled.
async fn again(
    context: &Context,
    (project, image): (ProjectKey, ImageId),
    filename: &str,
    trouble: DownloadProblem,
    content: Option<Sha256Digest>,
    reason: &str,
) -> Result<(), Failure> {
    let photo = PhotoId::of(project, image);
    // Another attempt takes a fresh link.
    context.descriptions.forget(photo);
    let waits: Vec<Duration> =
        context.config.photo_waits_s.iter().copied().map(Duration::from_secs).collect();
    let tries = DownloadTries::one_more(context.store.photo_tries(photo).await?, trouble, content);
    let NextStep::Again(wait) = tries.next(&waits) else { return Ok(()) };
    context.store.note_photo_tries((project, image), filename, &tries, reason, context.now()).await?;
    Err(Failure::Step {
        disposition: Disposition::RetryLater { after: Some(wait) },
        message: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_from_files() {
        for text in [
            &b""[..],
            b"<html>",
            b"  {\"error\": 1}",
            "gesperrt: für alle\r\n".as_bytes(),
            b"\xEF\xBB\xBF<a>",
        ] {
            assert!(is_text(text), "{text:?}");
        }
        for file in [&b"\xFF\xD8\xFF\xE0\0\x10JFIF"[..], b"\xFF\xD8", b"\x89PNG\r\n\x1a\n", b"GIF89a\x01\0"] {
            assert!(!is_text(file), "{file:?}");
        }
    }
}
