//! How a simulator is to behave.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use url::Url;

use super::access::Access;
use super::clock::Time;
use super::faults::Faults;
use super::limits::Limits;
use super::listing::Listing;

/// How a simulator is to behave; the default is Procore on a good day, on a free port of this machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where host A (API, login, file links) listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where host B (the cloud provider's storage) listens; port 0 takes a free one.
    pub storage_listen: SocketAddr,
    /// Where clients reach host A, where something stands in between; else where it listens.
    pub reached_at: Option<Url>,
    /// Everything that is drawn is drawn from this.
    pub seed: u64,
    /// Which time it lives in.
    pub time: Time,
    pub faults: Faults,
    /// How many requests a company may make.
    pub limits: Limits,
    /// How lists are told in pages.
    pub listing: Listing,
    /// Whether the simulator panics at its end when a request or an answer was against the contract.
    pub strict: bool,
    /// What the service account may do.
    pub access: Access,
    /// The OAuth client id of the one app.
    pub client_id: String,
    pub client_secret: String,
    /// Life of an access token; Procore's is 5400 s.
    pub token_life: Duration,
    /// Life of a file link on host A.
    pub url_life: Duration,
    /// Life of a redirect to host B: seconds.
    pub link_life: Duration,
    /// How long a webhook's receiver may take to answer, in real time; Procore's is 5 s.
    pub delivery_timeout: Duration,
    /// How many requests are kept to be looked at.
    pub keep_requests: usize,
    /// The longest answer that is kept with its request.
    pub keep_answer_bytes: usize,
    /// The longest body that is taken.
    pub body_limit_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: anywhere,
            storage_listen: anywhere,
            reached_at: None,
            seed: 1,
            time: Time::Real,
            faults: Faults::default(),
            limits: Limits::default(),
            listing: Listing::default(),
            strict: true,
            access: Access::default(),
            client_id: "punchlens-simulated-app".into(),
            client_secret: "simulated-secret-not-for-procore".into(),
            token_life: Duration::from_mins(90),
            url_life: Duration::from_hours(1),
            link_life: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(5),
            keep_requests: 20_000,
            keep_answer_bytes: 64 * 1024,
            body_limit_bytes: 128 * 1024 * 1024,
        }
    }
}
