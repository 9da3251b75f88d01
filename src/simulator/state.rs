//! Everything the simulator knows, behind one lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::Options;
use super::clock::Clock;
use super::conditions::Conditions;
use super::delivery::{Delivery, Queue};
use super::faults::Faults;
use super::hooks::Hook;
use super::late;
use super::limits::Meters;
use super::listing::Listing;
use super::oauth::Token;
use super::people::{Code, Member};
use super::policies::Policies;
use super::punch_fields::PunchItem;
use super::record::RecordedRequest;
use super::uploads::Upload;
use crate::domain::ids::{
    CompanyId, ImageId, LocationId, ProjectId, PunchItemId, PunchItemTypeId, TradeId, UserId,
};

/// What every handler gets.
pub(super) type Sim = Arc<Shared>;

/// The state and what surrounds it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Clock,
    /// Base address of host A: API and login.
    pub(super) api: Url,
    /// The same as clients know it: for links.
    pub(super) reached_at: Url,
    /// Base address of host B: the cloud provider's storage.
    pub(super) storage: Url,
    pub(super) client: reqwest::Client,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) changed: watch::Sender<u64>,
    pub(super) world: Mutex<World>,
    /// How lists are told; apart from the world, which is locked while lists are made.
    pub(super) listing: Mutex<Listing>,
}

impl Shared {
    /// Looks at the state.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes those who wait for it to change.
    pub(super) fn change<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let done = work(&mut self.world());
        self.changed.send_modify(|count| *count += 1);
        done
    }

    /// The simulator's time, or the time that a late request is stamped with.
    pub(super) fn now(&self) -> Timestamp {
        late::stamp().unwrap_or_else(|| self.clock.now())
    }
}

/// The one company with all that is in it, and the simulator's own books.
#[derive(Debug)]
pub(super) struct World {
    pub(super) company: Company,
    pub(super) projects: Vec<Project>,
    pub(super) people: People,
    pub(super) trades: Vec<Trade>,
    pub(super) types: Vec<PunchItemType>,
    pub(super) albums: Vec<Album>,
    pub(super) locations: BTreeMap<LocationId, Location>,
    pub(super) images: BTreeMap<ImageId, Image>,
    pub(super) punch_items: BTreeMap<PunchItemId, PunchItem>,
    pub(super) uploads: HashMap<String, Upload>,
    /// Bytes by their storage key.
    pub(super) files: HashMap<String, Bytes>,
    pub(super) hooks: BTreeMap<i64, Hook>,
    pub(super) deliveries: BTreeMap<i64, Delivery>,
    pub(super) queues: HashMap<String, Queue>,
    pub(super) tokens: HashMap<String, Token>,
    /// What people, other than the service account, may do where.
    pub(super) members: Vec<Member>,
    /// Authorization codes that were not used yet.
    pub(super) codes: HashMap<String, Code>,
    /// Refresh tokens that were not used yet, and whose they are.
    pub(super) refreshes: HashMap<String, UserId>,
    pub(super) meters: Meters,
    pub(super) faults: Faults,
    pub(super) conditions: Conditions,
    pub(super) policies: Policies,
    pub(super) requests: VecDeque<RecordedRequest>,
    /// What was not as the contract has it, in words.
    pub(super) violations: Vec<String>,
    /// Calls that would have e-mailed people.
    pub(super) mailings: Vec<String>,
    pub(super) rng: ChaCha8Rng,
    pub(super) next: NextIds,
}

/// The next free id of each kind.
#[derive(Debug, Clone)]
pub(super) struct NextIds {
    pub(super) image: i64,
    pub(super) punch_item: i64,
    pub(super) location: i64,
    pub(super) hook: i64,
    pub(super) trigger: i64,
    pub(super) comment: i64,
    pub(super) attachment: i64,
    /// Event ids of the v2 and v3 payloads lie above 2^53.
    pub(super) event: i64,
    pub(super) request: u64,
}

/// Takes the next id from `counter`.
pub(super) fn take(counter: &mut i64) -> i64 {
    *counter += 1;
    *counter
}

/// The company.
#[derive(Debug, Clone)]
pub(super) struct Company {
    pub(super) id: CompanyId,
    pub(super) name: String,
}

/// A project; only permitted ones exist for the service account.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) id: ProjectId,
    pub(super) company: CompanyId,
    pub(super) name: String,
    pub(super) number: String,
    pub(super) permitted: bool,
}

/// A person or service account of the Directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    pub id: UserId,
    pub login: String,
    pub name: String,
    pub company_name: String,
    /// The client id, for a service account.
    pub application: Option<String>,
}

/// Everybody that there is.
#[derive(Debug, Clone)]
pub(super) struct People {
    pub(super) service: User,
    pub(super) superintendent: User,
    pub(super) managers: Vec<User>,
    /// People who manage nothing.
    pub(super) others: Vec<User>,
}

impl People {
    pub(super) fn find(&self, id: UserId) -> Option<&User> {
        let service = [&self.service, &self.superintendent].into_iter();
        service.chain(&self.managers).chain(&self.others).find(|user| user.id == id)
    }
}

/// A trade of the company.
#[derive(Debug, Clone)]
pub(super) struct Trade {
    pub(super) id: TradeId,
    pub(super) name: String,
    pub(super) active: bool,
    pub(super) updated_at: Timestamp,
}

/// A punch item type.
#[derive(Debug, Clone)]
pub(super) struct PunchItemType {
    pub(super) id: PunchItemTypeId,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
}

/// An album of the Photos tool, which the API calls an image category.
#[derive(Debug, Clone)]
pub(super) struct Album {
    pub(super) id: i64,
    pub(super) project: ProjectId,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) created_at: Timestamp,
}

/// The album into which Procore copies what is attached to punch items.
pub(super) const PUNCH_ALBUM: &str = "Photos from Punch List";

/// A node of a project's location tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) id: LocationId,
    pub(super) project: ProjectId,
    pub(super) parent: Option<LocationId>,
    pub(super) path: Vec<String>,
    pub(super) created_at: Timestamp,
}

/// A photo of the Photos tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Image {
    /// Its id; beyond 32 bits.
    pub id: ImageId,
    /// The project it is in.
    pub project: ProjectId,
    /// The name of the file.
    pub filename: String,
    /// What a person wrote about it.
    pub description: Option<String>,
    /// Where its bytes lie on host B.
    pub key: String,
    pub size: usize,
    /// Width and height as the file's header says, if it could be read.
    pub pixels: Option<(u32, u32)>,
    /// When it was taken, as the uploading device says.
    pub taken_at: Option<Timestamp>,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Where, if that is set.
    pub location: Option<LocationId>,
    /// A location that will be set once the photo has been read without it.
    pub location_to_come: Option<LocationId>,
    pub album: i64,
    /// Whether only those with the permission for private photos see it.
    pub private: bool,
    /// `regular`, `360` or `unknown`.
    pub projection: String,
    pub uploader: UserId,
    /// Trades that were chosen for it.
    pub trades: Vec<TradeId>,
    /// The day whose daily log it belongs to.
    pub log_date: Option<String>,
    /// Latitude and longitude in degrees, as Procore read them from the file.
    pub gps: Option<(f64, f64)>,
    /// Whether it was deleted.
    pub deleted: bool,
}

impl World {
    pub(super) fn project(&self, id: ProjectId) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    pub(super) fn album(&self, id: i64) -> Option<&Album> {
        self.albums.iter().find(|album| album.id == id)
    }

    pub(super) fn trade(&self, id: TradeId) -> Option<&Trade> {
        self.trades.iter().find(|trade| trade.id == id)
    }

    /// A name nobody can guess, the same for the same seed: 26 characters of Crockford's alphabet.
    pub(super) fn ulid(&mut self, at: Timestamp) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let time = at.as_millisecond().max(0) as u128 & ((1 << 48) - 1);
        let value = (time << 80) | (self.rng.random::<u128>() >> 48);
        (0..26_u32).rev().map(|place| char::from(ALPHABET[(value >> (5 * place) & 31) as usize])).collect()
    }

    /// Whether chance, at this probability, says yes.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }
}
