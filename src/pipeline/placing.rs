//! Where a photo was taken: what the file, Procore, the site file and the neighbours say, put together.

use super::cards::PhotoSubject;
use super::optional_lists::optional;
use super::reference::{self, Reference};
use super::{Context, Failure, ProjectRules, lists};
use crate::domain::capture::GpsFix;
use crate::domain::event::List;
use crate::domain::place::{Neighbour, Place, PlaceQuery, resolve};

/// The place of `subject`, chosen from Procore's tree. Where the project has it so, a location of the site file that
/// Procore lacks is made there.
///
/// # Errors
/// When the store or Procore must be asked and does not answer.
pub(super) async fn place(
    context: &Context,
    rules: &ProjectRules,
    reference: &mut Reference,
    subject: &PhotoSubject<'_>,
) -> Result<Place, Failure> {
    let neighbours = neighbours(context, rules, subject).await?;
    let image = subject.image;
    let procore_gps = image.gps().map(|(latitude, longitude)| GpsFix {
        latitude,
        longitude,
        altitude_m: None,
        accuracy_m: None,
        direction_deg: None,
    });
    let query = PlaceQuery {
        photo_location: image.location.as_ref().map(|location| location.id),
        capture: subject.capture,
        procore_gps,
        filename: &image.filename,
        description: image.description.as_deref(),
        album: image.image_category_name.as_deref(),
        neighbours: &neighbours,
        uploader: image.uploader.as_ref().map(|uploader| uploader.id),
    };
    let (site, tagging) = (rules.site.as_ref(), rules.tagging.place());
    let Some(site) = site.filter(|_| rules.create_locations) else {
        return Ok(resolve(&query, &reference.locations, site, tagging));
    };
    let wished = reference.locations.with_missing(&site.missing(&reference.locations));
    let place = resolve(&query, &wished, Some(site), tagging);
    let Some(location) = place.location.as_ref().filter(|location| location.is_missing()) else {
        return Ok(place);
    };
    let project = subject.project();
    let making = async { Ok(context.procore.find_or_create_location(project, &location.path).await?) };
    if let Some(made) = optional(context, project, "new locations", making).await? {
        tracing::info!(location = location.words(), "a location of the site file was made in Procore");
        lists::note(context, &List::Locations.of_project(project), made.value(), false).await?;
        *reference = reference::load(context, project).await?;
    } else {
        tracing::warn!(location = location.words(), "the location could not be made in Procore");
    }
    Ok(resolve(&query, &reference.locations, Some(site), tagging))
}

/// Located photos by the same person at about the same time, where the photo has no location of its own.
async fn neighbours(
    context: &Context,
    rules: &ProjectRules,
    subject: &PhotoSubject<'_>,
) -> Result<Vec<Neighbour>, Failure> {
    let (Some(taken), Some(uploader), None) =
        (subject.capture.taken_at.as_option(), &subject.image.uploader, &subject.image.location)
    else {
        return Ok(Vec::new());
    };
    let within_s = rules.tagging.place().neighbour_max_s;
    Ok(context.store.located_near(subject.project(), uploader.id, taken.local, within_s).await?)
}
