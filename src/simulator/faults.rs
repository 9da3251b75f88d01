//! What can go wrong, and when: by script, or at random from the seed.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::echo::Echo;

/// One thing that goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// An error answer instead of the real one; nothing is done.
    Status {
        status: u16,
        /// `Retry-After`, in seconds, if it is sent.
        #[serde(default)]
        retry_after_s: Option<u64>,
        /// What the body looks like.
        #[serde(default)]
        body: ErrorBody,
    },
    /// The connection is reset before anything is done.
    ResetBefore,
    /// Everything is done, then the connection is reset instead of an answer.
    ResetAfter,
    /// Everything is done, then an error is answered.
    StatusAfter { status: u16 },
    /// The answer promises its full length and stops half way.
    TruncatedBody,
    /// The answer comes in small pieces.
    SlowDrip {
        /// Bytes in a piece.
        piece_bytes: usize,
        /// Milliseconds of real time between pieces.
        pause_ms: u64,
    },
    /// No answer for this long, then the real one.
    Stall {
        /// Milliseconds of real time.
        pause_ms: u64,
    },
    /// Everything is done, and nothing is ever answered: the connection stays open until the caller hangs up.
    Silence,
    /// Nothing is done at first. The request is carried out later, when the caller has long given up.
    CommitLate {
        /// Milliseconds of the simulator's time from the request until it is carried out.
        after_ms: u64,
        /// What the caller hears of it.
        #[serde(default)]
        heard: LateAnswer,
        /// Whether records carry the time at which the request came, and not the time at which it is carried out.
        #[serde(default)]
        backdated: bool,
    },
    /// The access token is revoked just before the request is looked at.
    RevokeToken,
}

impl FaultKind {
    /// Whether the connection is left open without an answer.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Silence | Self::CommitLate { heard: LateAnswer::Silence, .. })
    }

    /// Whether the caller gets no answer.
    pub(super) fn is_unanswered(&self) -> bool {
        let reset = matches!(
            self,
            Self::ResetBefore | Self::ResetAfter | Self::CommitLate { heard: LateAnswer::Reset, .. }
        );
        reset || self.is_silent()
    }
}

/// What the caller hears of a request that is carried out late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateAnswer {
    /// Nothing, until the caller hangs up.
    #[default]
    Silence,
    /// The connection is reset.
    Reset,
    /// A 504 with a page, as from the gateway.
    GatewayTimeout,
}

impl LateAnswer {
    const ALL: [Self; 3] = [Self::Silence, Self::Reset, Self::GatewayTimeout];
}

/// Writes to the Punch List that are carried out late, at random.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LateWrites {
    /// The probability that a write is carried out late.
    pub rate: f64,
    /// The longest time until then, in milliseconds of the simulator's time.
    pub up_to_ms: u64,
}

impl LateWrites {
    fn draw(&self, method: &str, path: &str, rng: &mut ChaCha8Rng) -> Option<FaultKind> {
        let write = method != "GET" && path.starts_with("/rest/") && path.contains("/punch_items");
        if !write || self.rate <= 0.0 || !rng.random_bool(self.rate.min(1.0)) {
            return None;
        }
        Some(FaultKind::CommitLate {
            after_ms: rng.random_range(0..=self.up_to_ms),
            heard: LateAnswer::ALL[rng.random_range(0..LateAnswer::ALL.len())],
            backdated: rng.random_bool(0.5),
        })
    }
}

/// How an error answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// `{"errors": "…"}`, as from the application.
    #[default]
    Json,
    /// A page, as from the edge in front of it.
    Html,
    Text,
    Empty,
}

/// A fault for chosen requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The method, or any.
    #[serde(default)]
    pub method: Option<String>,
    /// The path: `*` stands for one segment, `**` at the end for all that follow; empty for any.
    #[serde(default)]
    pub path: String,
    /// How many matching requests are let through first.
    #[serde(default)]
    pub after: u32,
    /// How many matching requests are hit then.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// `kind` for the next request of `method` to `path`.
    pub fn once(method: &str, path: &str, kind: FaultKind) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), after: 0, times: 1, kind }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && (self.path.is_empty() || path_matches(&self.path, path))
    }
}

pub(super) fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Probabilities, each in 0..=1, of what happens to a webhook.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WebhookFaults {
    /// It is never sent, and Procore has no record of it.
    pub lose: f64,
    /// The same event is sent twice.
    pub duplicate: f64,
    /// A second event with its own id and the same timestamp is sent.
    pub twin: f64,
    /// Later events overtake it.
    pub reorder: f64,
    /// A photo's `create` comes before its location is set; an `update` follows.
    pub unlocated: f64,
}

/// Everything that goes wrong in a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// Faults for chosen requests; the first that matches is used up first.
    pub script: Vec<Fault>,
    /// The probability that any request is hit by one of `kinds`.
    pub rate: f64,
    /// What random faults there are.
    pub kinds: Vec<FaultKind>,
    /// What happens to webhooks.
    pub webhooks: WebhookFaults,
    /// Writes to the Punch List that are carried out late.
    pub late: LateWrites,
    /// Whether a create answers with `initiated` though a draft was asked for.
    pub drafts_ignored: bool,
    /// How texts and photos that were sent are shown afterwards.
    pub echo: Echo,
}

impl Faults {
    /// Names for `preset`.
    pub const PRESETS: [&str; 4] = ["none", "mild", "harsh", "late"];

    /// A ready-made set by name: `none`, `mild` (a bad afternoon), `harsh` (a bad month) or `late` (as `harsh`, and a
    /// fifth of all writes to the Punch List is carried out up to 90 s late).
    pub fn preset(name: &str) -> Option<Self> {
        let status = |status, retry_after_s, body| FaultKind::Status { status, retry_after_s, body };
        let mild = vec![
            status(500, None, ErrorBody::Json),
            status(502, None, ErrorBody::Html),
            status(503, Some(1), ErrorBody::Text),
            FaultKind::ResetAfter,
        ];
        let harsh = vec![
            status(408, None, ErrorBody::Empty),
            status(429, None, ErrorBody::Text),
            status(429, Some(1), ErrorBody::Text),
            status(503, None, ErrorBody::Html),
            FaultKind::ResetBefore,
            FaultKind::StatusAfter { status: 502 },
            FaultKind::TruncatedBody,
            FaultKind::SlowDrip { piece_bytes: 512, pause_ms: 2 },
            FaultKind::RevokeToken,
        ];
        match name {
            "none" => Some(Self::default()),
            "mild" => Some(Self {
                rate: 0.05,
                kinds: mild,
                webhooks: WebhookFaults { duplicate: 0.1, reorder: 0.1, ..WebhookFaults::default() },
                ..Self::default()
            }),
            "harsh" => Some(Self {
                rate: 0.2,
                kinds: [mild, harsh].concat(),
                webhooks: WebhookFaults {
                    lose: 0.1,
                    duplicate: 0.2,
                    twin: 0.2,
                    reorder: 0.2,
                    unlocated: 0.3,
                },
                ..Self::default()
            }),
            "late" => Some(Self {
                late: LateWrites { rate: 0.2, up_to_ms: 90_000 },
                ..Self::preset("harsh").unwrap_or_default()
            }),
            _ => None,
        }
    }

    /// What happens to the request at hand, if anything. Script before chance.
    pub(super) fn draw(&mut self, method: &str, path: &str, rng: &mut ChaCha8Rng) -> Option<FaultKind> {
        if let Some(fault) =
            self.script.iter_mut().find(|fault| fault.matches(method, path) && fault.times > 0)
        {
            if fault.after > 0 {
                fault.after -= 1;
                return None;
            }
            fault.times -= 1;
            return Some(fault.kind.clone());
        }
        if let Some(late) = self.late.draw(method, path, rng) {
            return Some(late);
        }
        if self.kinds.is_empty() || !rng.random_bool(self.rate.clamp(0.0, 1.0)) {
            return None;
        }
        self.kinds.get(rng.random_range(0..self.kinds.len())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn patterns_name_whole_segments() {
        let check =
            |pattern, path, expected| assert_eq!(path_matches(pattern, path), expected, "{pattern} {path}");
        check("/rest/v1.0/images", "/rest/v1.0/images", true);
        check("/rest/v1.0/images", "/rest/v1.0/images/1", false);
        check("/rest/*/images/*", "/rest/v1.0/images/1", true);
        check("/rest/**", "/rest/v1.0/images/1", true);
        check("/oauth/**", "/rest/v1.0/images/1", false);
    }

    #[test]
    fn scripts_wait_hit_and_are_spent() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let fault = Fault { after: 1, times: 2, ..Fault::once("POST", "/a", FaultKind::ResetAfter) };
        let mut faults = Faults { script: vec![fault], ..Faults::default() };
        let mut hit = |method, path| faults.draw(method, path, &mut rng).is_some();
        assert!(!hit("GET", "/a") && !hit("POST", "/b"));
        assert_eq!(
            [hit("POST", "/a"), hit("POST", "/a"), hit("POST", "/a"), hit("POST", "/a")],
            [false, true, true, false]
        );
    }

    #[test]
    fn chance_follows_the_seed() {
        let drawn = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut faults = Faults::preset("harsh").expect("a preset");
            (0..200).map(|_| faults.draw("GET", "/a", &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(drawn(1).iter().flatten().count() > 10);
    }

    #[test]
    fn scripts_are_plain_json() {
        let text =
            r#"{"script":[{"method":"POST","path":"/rest/v1.1/punch_items","kind":"status","status":503}]}"#;
        let faults: Faults = serde_json::from_str(text).expect("reads");
        assert_eq!(faults.script[0].times, 1);
        assert!(Faults::PRESETS.iter().all(|name| Faults::preset(name).is_some()));
    }
}
