//! A stand-in for Procore over real HTTP, as unkind as Procore is.
//!
//! It knows nothing of the client in `procore`: both were written from the API's description, so
//! each can find the other's mistakes. Host A plays Procore (API, login, file links), host B the
//! cloud storage that file links redirect to.

mod access;
mod call;
mod clock;
mod conditions;
pub mod contract;
mod delivery;
mod directory;
mod echo;
mod events;
mod faults;
mod files;
mod form;
mod gate;
mod hooks;
mod hooks_v1;
mod hooks_v2;
mod images;
mod late;
mod limits;
mod listing;
mod locations;
mod oauth;
mod options;
mod page;
mod people;
mod pixels;
mod policies;
mod punch_fields;
mod punch_items;
mod punch_views;
mod record;
pub mod seed;
mod staging;
mod state;
mod switches;
#[cfg(test)]
mod tests;
mod uploads;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use self::access::{Access, Level};
pub use self::clock::Time;
pub use self::conditions::{Conditions, FileSent, Refused, Sizes, Tool, ToolOff};
pub use self::delivery::{Attempt, Delivery, DeliveryState};
pub use self::echo::{Echo, EchoedImages};
pub use self::events::{Change, Family};
pub use self::faults::{ErrorBody, Fault, FaultKind, Faults, LateAnswer, LateWrites, WebhookFaults};
pub use self::hooks::{Hook, Trigger};
pub use self::limits::Limits;
pub use self::listing::{Links, Listing};
pub use self::options::Options;
pub use self::policies::{Policies, SetField};
pub use self::punch_fields::{Attachment, Comment, PunchItem};
pub use self::record::{Host, RecordedRequest};
pub use self::state::{Image, User};

use self::call::Refusal;
use self::clock::Clock;
use self::events::Cause;
use self::gate::Gate;
use self::hooks::{HookFields, Scope};
use self::state::{Shared, Sim, Trade};
use self::wire::{Line, Wires};
use crate::domain::ids::{ImageId, LocationId, ProjectId, PunchItemId, TradeId, UserId};

/// How long `stop` waits for open connections.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A running simulator. Dropping it ends it.
#[derive(Debug)]
pub struct Simulator {
    sim: Sim,
}

/// A photo that somebody on site uploads.
#[derive(Debug, Clone, Default)]
pub struct PhotoUpload {
    /// The name of the file.
    pub filename: String,
    pub bytes: Vec<u8>,
    /// The location that was chosen for it.
    pub location: Option<LocationId>,
    /// What was written about it.
    pub description: Option<String>,
    /// When it was taken, as the uploading device says.
    pub taken_at: Option<Timestamp>,
    /// Where, as read from the file: latitude and longitude in degrees.
    pub gps: Option<(f64, f64)>,
    /// Who uploads it; the superintendent unless told otherwise.
    pub uploader: Option<UserId>,
    /// Whether it is private.
    pub private: bool,
    /// `regular`, `360` or `unknown`; empty for `regular`.
    pub projection: String,
}

impl Simulator {
    /// Starts one.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        let api = TcpListener::bind(options.listen).await?;
        let storage = TcpListener::bind(options.storage_listen).await?;
        let clock = Clock::new(options.time);
        let world = Mutex::new(seed::world(&options, clock.now()));
        let own = base(api.local_addr()?)?;
        let sim: Sim = Arc::new(Shared {
            reached_at: options.reached_at.clone().unwrap_or_else(|| own.clone()),
            api: own,
            storage: base(storage.local_addr()?)?,
            client: client(options.delivery_timeout)?,
            listing: Mutex::new(options.listing),
            options,
            clock,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            changed: watch::Sender::new(0),
            world,
        });
        serve(&sim, api, api_routes(), Host::Procore);
        serve(&sim, storage, storage_routes(), Host::Storage);
        let stopping = sim.stopping.clone();
        sim.tasks.spawn(stopping.run_until_cancelled_owned(delivery::dispatch(Arc::clone(&sim))));
        Ok(Self { sim })
    }

    /// Ends it and waits, a moment, for open connections.
    pub async fn stop(self) {
        self.sim.stopping.cancel();
        self.sim.tasks.close();
        // Connections that are still open after this are dropped with the runtime.
        let _ = tokio::time::timeout(STOP_WITHIN, self.sim.tasks.wait()).await;
    }

    /// Base address of host A: API, and login under `/oauth`.
    pub fn url(&self) -> Url {
        self.sim.api.clone()
    }

    /// Base address of host B: the cloud provider's storage.
    pub fn storage_url(&self) -> Url {
        self.sim.storage.clone()
    }

    /// OAuth client id and secret.
    pub fn credentials(&self) -> (String, String) {
        (self.sim.options.client_id.clone(), self.sim.options.client_secret.clone())
    }

    /// The simulator's time.
    pub fn now(&self) -> Timestamp {
        self.sim.now()
    }

    /// Moves the simulator's time forward.
    pub fn advance(&self, by: Duration) {
        self.sim.clock.advance(by);
    }

    /// What was asked, oldest first; pages and switches for people are left out.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.sim.world().requests.iter().cloned().collect()
    }

    /// Forgets what was asked so far.
    pub fn forget_requests(&self) {
        self.sim.change(|world| world.requests.clear());
    }

    /// Every photo, also private and deleted ones.
    pub fn images(&self) -> Vec<Image> {
        self.sim.world().images.values().cloned().collect()
    }

    /// Every punch item, also those in the recycle bin.
    pub fn punch_items(&self) -> Vec<PunchItem> {
        self.sim.world().punch_items.values().cloned().collect()
    }

    /// Every hook.
    pub fn hooks(&self) -> Vec<Hook> {
        self.sim.world().hooks.values().cloned().collect()
    }

    /// Every delivery, oldest first; lost ones are not among them.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.sim.world().deliveries.values().cloned().collect()
    }

    /// Calls that would have e-mailed people; a well-behaved client makes none.
    pub fn mailings(&self) -> Vec<String> {
        self.sim.world().mailings.clone()
    }

    /// The id of the location at this path of the seeded project.
    pub fn location(&self, path: &[&str]) -> Option<LocationId> {
        let world = self.sim.world();
        world.locations.values().find(|place| place.path == path).map(|place| place.id)
    }

    /// The company adds a trade, which only a hook of the company hears of.
    pub fn add_trade(&self, name: &str) -> TradeId {
        let now = self.sim.now();
        let id = self.sim.change(|world| {
            let last = world.trades.iter().map(|trade| trade.id.value()).max().unwrap_or_default();
            let id = TradeId::new(last + 1);
            world.trades.push(Trade { id, name: name.to_owned(), active: true, updated_at: now });
            id
        });
        self.sim.emit("Trades", id.value(), Change::Create, None, &Cause::person(seed::MANAGER));
        id
    }

    /// The id of a trade of the company by its name.
    pub fn trade(&self, name: &str) -> Option<TradeId> {
        self.sim.world().trades.iter().find(|trade| trade.name == name).map(|trade| trade.id)
    }

    /// Every location of the seeded project with its path, by id.
    pub fn locations(&self) -> Vec<(LocationId, Vec<String>)> {
        let world = self.sim.world();
        world.locations.values().map(|place| (place.id, place.path.clone())).collect()
    }

    /// Replaces what goes wrong from here on.
    pub fn set_faults(&self, faults: Faults) {
        self.sim.change(|world| world.faults = faults);
    }

    /// Replaces the conditions that hold.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.sim.change(|world| world.conditions = conditions);
    }

    /// Adds a fault to the script.
    pub fn script(&self, fault: Fault) {
        self.sim.change(|world| world.faults.script.push(fault));
    }

    /// Uploads a photo the way a phone does, over HTTP, which starts the webhooks.
    ///
    /// # Errors
    /// When the simulator does not answer or refuses it (an unknown location, say).
    pub async fn upload_photo(&self, project: ProjectId, photo: PhotoUpload) -> io::Result<ImageId> {
        switches::upload(&self.sim, project, photo).await
    }

    /// Makes a hook for everything in a project that Punchlens cares about, as an administrator
    /// would, and gives its id. `version` is `v2.0`, `v3.0` or `v4.0`.
    ///
    /// # Errors
    /// With the reason when the address or the version will not do.
    pub fn add_hook(
        &self,
        project: ProjectId,
        destination_url: &str,
        authorization: &str,
        version: &str,
    ) -> Result<i64, &'static str> {
        let fields = HookFields::new(destination_url, authorization, version);
        let hook = self.sim.add_hook(Scope(Some(project)), fields)?;
        for resource in [images::IMAGES, punch_items::PUNCH_ITEMS, "Locations"] {
            for change in ["create", "update", "delete"] {
                self.sim.add_trigger(hook, resource, change)?;
            }
        }
        Ok(hook)
    }

    /// Somebody moves a photo to another location in Procore's own pages.
    pub fn move_photo(&self, id: ImageId, location: Option<LocationId>) {
        self.sim.edit_image(id, &Cause::person(seed::SUPERINTENDENT), |image| image.location = location);
    }

    /// Somebody deletes a photo in Procore's own pages.
    pub fn delete_photo(&self, id: ImageId) {
        self.sim.remove_image(id, &Cause::person(seed::SUPERINTENDENT));
    }

    /// Makes a private photo visible to all.
    pub fn show_photo(&self, id: ImageId) {
        self.sim.edit_image(id, &Cause::person(seed::SUPERINTENDENT), |image| image.private = false);
    }

    /// The manager makes a punch item in Procore's own pages; `fields` as in the API. `None` if they are not valid.
    pub fn add_punch_item(&self, project: ProjectId, fields: &Value) -> Option<PunchItemId> {
        self.sim.person_adds(project, fields, seed::MANAGER)
    }

    /// The manager changes a punch item in Procore's own pages; `fields` as in the API. Returns
    /// whether that could be done.
    pub fn edit_punch_item(&self, id: PunchItemId, fields: &Value) -> bool {
        self.sim.person_edits(id, fields, seed::MANAGER)
    }

    /// The manager deletes a punch item in Procore's own pages; whether it was there.
    pub fn delete_punch_item(&self, id: PunchItemId) -> bool {
        self.sim.bin_punch_item(id, &Cause::person(seed::MANAGER))
    }

    /// Returns once `holds`, checked after every change of the state.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        let mut changed = self.sim.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if holds(self) || changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns once no delivery waits; for ever while a destination does not answer.
    pub async fn quiet(&self) {
        self.sim.release();
        self.until(|simulator| simulator.sim.quiet()).await;
    }
}

fn base(address: SocketAddr) -> io::Result<Url> {
    Url::parse(&format!("http://{address}/")).map_err(io::Error::other)
}

fn client(timeout: Duration) -> io::Result<reqwest::Client> {
    // Another part of the process may have chosen a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(io::Error::other)
}

fn api_routes() -> Router<Sim> {
    Router::new()
        .merge(oauth::routes())
        .merge(people::routes())
        .merge(directory::routes())
        .merge(images::routes())
        .merge(files::routes())
        .merge(uploads::routes())
        .merge(locations::routes())
        .merge(punch_items::routes())
        .merge(policies::routes())
        .merge(hooks_v1::routes())
        .merge(hooks_v2::routes())
        .merge(switches::routes())
        .merge(conditions::routes())
        .merge(page::routes())
}

fn storage_routes() -> Router<Sim> {
    Router::new().merge(files::storage_routes()).merge(uploads::storage_routes())
}

fn serve(sim: &Sim, listener: TcpListener, routes: Router<Sim>, host: Host) {
    let gate = Gate { sim: Arc::clone(sim), host };
    let app = routes
        .fallback(|| async { Refusal::not_found() })
        .layer(from_fn_with_state(gate, gate::pass))
        .layer(DefaultBodyLimit::max(sim.options.body_limit_bytes))
        .with_state(Arc::clone(sim))
        .into_make_service_with_connect_info::<Line>();
    let stopping = sim.stopping.clone();
    sim.tasks.spawn(async move {
        let server = axum::serve(Wires(listener), app).with_graceful_shutdown(stopping.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "the simulator stopped serving");
        }
    });
}
