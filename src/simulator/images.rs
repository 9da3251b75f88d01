//! The Photos tool, which the API calls images.

use axum::Router;
use axum::routing::MethodFilter;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::photos_of;
use super::call::{Call, Refusal, Reply, boolean, integer, integers, on, stamp};
use super::events::{Cause, Change};
use super::listing::Page;
use super::pixels::pixels;
use super::state::{Album, Image, PUNCH_ALBUM, Shared, Sim, World, take};
use crate::domain::ids::{ImageId, LocationId, ProjectId, TradeId};

/// Its name in webhooks.
pub(super) const IMAGES: &str = "Images";

pub(super) fn routes() -> Router<Sim> {
    const ONE: &str = "/rest/v1.0/images/{id}";
    Router::new()
        .route("/rest/v1.0/images", on(MethodFilter::GET, list))
        .route("/rest/v1.0/images", on(MethodFilter::POST, create))
        .route(ONE, on(MethodFilter::GET, show))
        .route(ONE, on(MethodFilter::PATCH, update))
        .route(ONE, on(MethodFilter::DELETE, delete))
        .route("/rest/v1.0/image_categories", on(MethodFilter::GET, albums))
        .route("/rest/v1.0/image_categories/ids_with_images", on(MethodFilter::GET, album_ids))
}

/// What a new photo is made of.
#[derive(Debug, Clone)]
pub(super) struct NewImage {
    pub(super) project: ProjectId,
    pub(super) filename: String,
    pub(super) bytes: Bytes,
    pub(super) description: Option<String>,
    pub(super) location: Option<LocationId>,
    pub(super) taken_at: Option<Timestamp>,
    pub(super) gps: Option<(f64, f64)>,
    pub(super) private: bool,
    pub(super) projection: String,
    pub(super) album: Option<i64>,
    pub(super) trades: Vec<TradeId>,
    pub(super) log_date: Option<String>,
    pub(super) cause: Cause,
}

impl NewImage {
    pub(super) fn of(project: ProjectId, filename: &str, bytes: Bytes, cause: Cause) -> Self {
        Self {
            project,
            filename: filename.to_owned(),
            bytes,
            description: None,
            location: None,
            taken_at: None,
            gps: None,
            private: false,
            projection: "regular".into(),
            album: None,
            trades: Vec::new(),
            log_date: None,
            cause,
        }
    }
}

impl Shared {
    /// Puts a photo into the Photos tool and tells the hooks.
    pub(super) fn add_image(&self, new: NewImage) -> ImageId {
        let now = self.now();
        let (id, uploader, cause) = (self.next_image(), new.cause.user, new.cause.clone());
        let project = new.project;
        self.change(|world| {
            let key = world.ulid(now);
            let unlocated = world.faults.webhooks.unlocated;
            let late = new.location.is_some() && world.chance(unlocated);
            let album = new.album.or_else(|| world.first_album(project)).unwrap_or_default();
            let image = Image {
                id,
                project,
                filename: new.filename,
                description: new.description,
                key: key.clone(),
                size: new.bytes.len(),
                pixels: pixels(&new.bytes),
                taken_at: new.taken_at,
                created_at: now,
                updated_at: now,
                location: new.location.filter(|_| !late),
                location_to_come: new.location.filter(|_| late),
                private: new.private || world.album(album).is_some_and(|album| album.private),
                album,
                projection: new.projection,
                uploader,
                trades: new.trades,
                log_date: new.log_date,
                gps: new.gps,
                deleted: false,
            };
            world.files.insert(key, new.bytes);
            world.images.insert(id, image);
        });
        self.emit(IMAGES, id.value(), Change::Create, project, &cause);
        id
    }

    fn next_image(&self) -> ImageId {
        ImageId::new(take(&mut self.world().next.image))
    }

    /// Copies what was attached to a punch item into the album for that, as Procore does by itself.
    pub(super) fn aggregate(&self, project: ProjectId, filename: &str, bytes: Bytes, cause: &Cause) {
        let album = {
            let world = self.world();
            let wanted = |album: &&Album| album.project == project && album.name == PUNCH_ALBUM;
            world.albums.iter().find(wanted).map(|album| album.id)
        };
        self.add_image(NewImage { album, ..NewImage::of(project, filename, bytes, cause.clone()) });
    }

    /// Changes a photo and tells the hooks.
    pub(super) fn edit_image(&self, id: ImageId, cause: &Cause, edit: impl FnOnce(&mut Image)) {
        let now = self.now();
        let project = self.change(|world| {
            let image = world.images.get_mut(&id)?;
            edit(image);
            image.updated_at = now;
            Some(image.project)
        });
        if let Some(project) = project {
            self.emit(IMAGES, id.value(), Change::Update, project, cause);
        }
    }

    /// Deletes a photo and tells the hooks.
    pub(super) fn remove_image(&self, id: ImageId, cause: &Cause) {
        let now = self.now();
        let project = self.change(|world| {
            let image = world.images.get_mut(&id)?;
            image.deleted = true;
            image.updated_at = now;
            Some(image.project)
        });
        if let Some(project) = project {
            self.emit(IMAGES, id.value(), Change::Delete, project, cause);
        }
    }

    /// Sets the locations that were held back from photos that have now been read without one.
    fn locate(&self, read: &[ImageId]) {
        for id in read {
            let found = self
                .world()
                .images
                .get(id)
                .and_then(|image| Some((image.location_to_come?, Cause::person(image.uploader))));
            if let Some((location, uploader)) = found {
                self.edit_image(*id, &uploader, |image| {
                    image.location = Some(location);
                    image.location_to_come = None;
                });
            }
        }
    }

    fn visible(&self, image: &Image) -> bool {
        !image.deleted && (!image.private || self.options.access.private_photos)
    }

    fn image_json(&self, world: &World, image: &Image) -> Value {
        let album = world.album(image.album);
        let link = format!("/rest/v1.0/images/{}?project_id={}", image.id, image.project);
        let url = self.file_url(image.project, &image.key);
        let uploader = world.people.find(image.uploader);
        json!({
            "id": image.id,
            "url": url,
            "thumbnail_url": url,
            "filename": image.filename,
            "size": world.conditions.sizes.tell(image.size),
            "width": image.pixels.map(|(width, _)| width),
            "height": image.pixels.map(|(_, height)| height),
            "description": image.description,
            "projection": image.projection,
            "taken_at": stamp(image.taken_at.unwrap_or(image.created_at)),
            "created_at": stamp(image.created_at),
            "updated_at": stamp(image.updated_at),
            "location": world.location_json(image.location, false),
            "image_category_id": image.album,
            "image_category_name": album.map(|album| album.name.as_str()),
            "image_category_private": album.is_some_and(|album| album.private),
            "permanently_deleted": image.deleted,
            "private": image.private,
            "starred": false,
            "origin_id": null,
            "daily_log_header_id": null,
            "daily_log_segment_id": null,
            "daily_log_segment": null,
            "gps_lat": image.gps.map(|(latitude, _)| latitude.to_string()),
            "gps_long": image.gps.map(|(_, longitude)| longitude.to_string()),
            "uploader": uploader.map(|user| json!({ "id": user.id, "login": user.login, "name": user.name })),
            "trades": image.trades.iter().filter_map(|id| world.trade_json(*id)).collect::<Vec<_>>(),
            "comments_count": 0,
            "links": { "self": link, "update": link, "delete": link, "retrieve": link,
                "permanentlyDelete": format!("{link}&permanent=true") },
        })
    }
}

impl World {
    fn first_album(&self, project: ProjectId) -> Option<i64> {
        self.albums.iter().find(|album| album.project == project).map(|album| album.id)
    }
}

fn list(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = photos_of(sim, call)?;
    let ids = call.ids("filters[id]")?;
    let locations = call.ids("filters[location_id]")?;
    let uploaders = call.ids("filters[uploader_id]")?;
    let trades = call.ids("filters[trade_ids]")?;
    let (projection, log_date) = (call.query("filters[projection]"), call.query("filters[log_date]"));
    let album = call.query("image_category_id").and_then(|text| text.parse::<i64>().ok());
    let created = call.range("filters[created_at]")?;
    let updated = call.range("filters[updated_at]")?;
    let private_only = call.flag("filters[private]").unwrap_or(false);
    let within =
        |range: Option<(Timestamp, Timestamp)>, at| range.is_none_or(|(from, to)| from <= at && at <= to);
    let among = |list: &Option<Vec<i64>>, id: Option<i64>| {
        list.as_ref().is_none_or(|list| id.is_some_and(|id| list.contains(&id)))
    };
    let (reply, read) = {
        let world = sim.world();
        let mut images: Vec<&Image> = world
            .images
            .values()
            .filter(|image| image.project == project && sim.visible(image))
            .filter(|image| !private_only || image.private)
            .filter(|image| among(&ids, Some(image.id.value())))
            .filter(|image| among(&locations, image.location.map(LocationId::value)))
            .filter(|image| among(&uploaders, Some(image.uploader.value())))
            .filter(|image| {
                trades.is_none() || image.trades.iter().any(|id| among(&trades, Some(id.value())))
            })
            .filter(|image| projection.is_none_or(|wanted| image.projection == wanted))
            .filter(|image| log_date.is_none_or(|wanted| image.log_date.as_deref() == Some(wanted)))
            .filter(|image| album.is_none_or(|album| image.album == album))
            .filter(|image| within(created, image.created_at) && within(updated, image.updated_at))
            .collect();
        sort(&mut images, call.query("sort"))?;
        let page = Page::of(sim, call, images.len(), 100, 2000);
        let shown = page.cut(&images);
        let rows = shown.iter().map(|image| sim.image_json(&world, image)).collect();
        let read: Vec<ImageId> = shown.iter().map(|image| image.id).collect();
        (Reply::listed(sim, call, &page, rows), read)
    };
    sim.locate(&read);
    Ok(reply)
}

fn sort(images: &mut [&Image], by: Option<&str>) -> Result<(), Refusal> {
    let by = by.unwrap_or("-created_at");
    let (name, falling) = by.strip_prefix('-').map_or((by, false), |name| (name, true));
    match name {
        "created_at" | "most_recent" => images.sort_by_key(|image| (image.created_at, image.id)),
        "taken_at" | "exposure_date" => images.sort_by_key(|image| (image.taken_at, image.id)),
        "deleted_at" => {}
        _ => return Err(Refusal::bad_request("sort is invalid")),
    }
    if falling || name == "most_recent" {
        images.reverse();
    }
    Ok(())
}

/// The photo that the path names, if whoever asks may see it: 404 says both "no" and "not for you".
fn find(sim: &Shared, call: &Call) -> Result<ImageId, Refusal> {
    let project = photos_of(sim, call)?;
    let id = ImageId::new(call.id("id")?);
    let world = sim.world();
    let image = world.images.get(&id).filter(|image| image.project == project && sim.visible(image));
    image.map(|image| image.id).ok_or_else(Refusal::not_found)
}

fn shown(sim: &Shared, id: ImageId) -> Result<Value, Refusal> {
    let world = sim.world();
    let image = world.images.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(sim.image_json(&world, image))
}

fn show(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let id = find(sim, call)?;
    let body = shown(sim, id)?;
    sim.locate(&[id]);
    Ok(Reply::ok(body))
}

fn create(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = call.query_project()?;
    sim.open(project)?;
    sim.options.access.photos.at_least_standard("Photos")?;
    let fields = &call.body["image"];
    // Procore's pages disagree on where these stand; both are taken.
    let uuid = call.body["upload_uuid"].as_str().or_else(|| call.body["upload"]["uuid"].as_str());
    let name = call.body["image_name"].as_str().or_else(|| call.body["upload"]["image_name"].as_str());
    let name = name.ok_or_else(|| Refusal::bad_request("image_name is missing"))?;
    let data = call.files.iter().find(|file| file.field == "image[data]").map(|file| file.bytes.clone());
    let bytes = match uuid {
        Some(uuid) => sim.claim_upload(uuid)?.1,
        None => data.ok_or_else(|| Refusal::bad_request("upload_uuid or image[data] is missing"))?,
    };
    if !fields.is_object() {
        return Err(Refusal::bad_request("image is missing"));
    }
    let location = integer(&fields["location_id"]).map(LocationId::new);
    sim.known_location(project, location)?;
    let trades = integers(&fields["trade_ids"]).unwrap_or_default();
    let id = sim.add_image(NewImage {
        description: fields["description"].as_str().map(str::to_owned),
        location,
        private: boolean(&fields["private"]).unwrap_or(false),
        album: integer(&fields["image_category_id"]),
        trades: trades.into_iter().map(TradeId::new).collect(),
        log_date: fields["log_date"].as_str().map(str::to_owned),
        ..NewImage::of(project, name, bytes, Cause::of(call)?)
    });
    Ok(Reply::created(shown(sim, id)?))
}

fn update(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let id = find(sim, call)?;
    sim.options.access.photos.at_least_standard("Photos")?;
    let fields = &call.body["image"];
    let location = integer(&fields["location_id"]).map(LocationId::new);
    sim.known_location(call.query_project()?, location)?;
    sim.edit_image(id, &Cause::of(call)?, |image| {
        image.location = location.or(image.location);
        image.private = boolean(&fields["private"]).unwrap_or(image.private);
        image.album = integer(&fields["image_category_id"]).unwrap_or(image.album);
        if let Some(description) = fields["description"].as_str() {
            image.description = Some(description.to_owned());
        }
        if let Some(trades) = integers(&fields["trade_ids"]) {
            image.trades = trades.into_iter().map(TradeId::new).collect();
        }
    });
    Ok(Reply::ok(shown(sim, id)?))
}

fn delete(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let id = find(sim, call)?;
    sim.options.access.photos.at_least_standard("Photos")?;
    sim.remove_image(id, &Cause::of(call)?);
    Ok(Reply::ok(json!({})))
}

fn albums(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = call.query_project()?;
    sim.open(project)?;
    let world = sim.world();
    let albums = world.albums.iter().filter(|album| album.project == project);
    let albums = albums.filter(|album| !album.private || sim.options.access.private_photos);
    let rows: Vec<Value> = albums
        .enumerate()
        .map(|(place, album)| {
            let images = world.images.values().filter(|image| image.album == album.id && sim.visible(image));
            let link = format!("/rest/v1.0/image_categories/{}?project_id={project}", album.id);
            json!({
                "id": album.id,
                "count": images.count(),
                "cover_photo": null,
                "created_at": stamp(album.created_at),
                "updated_at": stamp(album.created_at),
                "links": { "show": link, "delete": link, "update": link },
                "name": album.name,
                "private": album.private,
                "position": place + 1,
            })
        })
        .collect();
    Ok(Reply::page(sim, call, &rows, 2000))
}

fn album_ids(sim: &Sim, call: &Call) -> Result<Reply, Refusal> {
    let project = call.query_project()?;
    sim.open(project)?;
    let updated = call.range("filters[updated_at]")?;
    let world = sim.world();
    let images = world.images.values().filter(|image| image.project == project && sim.visible(image));
    let images = images
        .filter(|image| updated.is_none_or(|(from, to)| from <= image.updated_at && image.updated_at <= to));
    let mut ids: Vec<i64> = images.map(|image| image.album).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(Reply::ok(json!(ids)))
}
