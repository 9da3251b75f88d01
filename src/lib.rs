//! Punchlens: from a photo in Procore to a draft punch item that a superintendent decides about.
//!
//! # The way of a photo
//!
//! ```text
//! webhook ─► inbox ─► route ─► analyze ─► deliver ─► Procore
//!  http       store    pipeline  │  ▲        │  ▲
//!                                │  │        │  └── review (http) ◄── a person
//!    download (procore) ─► decode + EXIF (photo) ─► tensors ─► session ─► score maps (inference)
//!                                │
//!    detections ─► merge ─► findings ─► place, trade, priority, wording, likeness (domain)
//!                                │
//!    known? muted? capped? (domain, inside the store's transaction) ─► card, audit (store)
//! ```
//!
//! 1. [`http`] checks that a delivery is genuine and stores it, with a job, before it answers 2xx.
//! 2. [`pipeline::route`] reads the stored delivery and queues what it calls for; [`pipeline::sweep`] finds the
//!    photos that no webhook told of.
//! 3. [`pipeline::analyze`] fetches a photo, looks at it and records everything in one transaction. In that transaction
//!    [`domain::dedupe::Intake`] decides what becomes of each finding: a card of its own, one more photo of a known card,
//!    or a card that a mute, an open punch item or a cap keeps back.
//! 4. [`pipeline::deliver`] brings one finding's punch item in Procore in line with what was found and decided. What is
//!    to be done is a value, made by [`domain::delivery::plan`]. [`pipeline::link`] brings further photos to the item.
//! 5. A person decides on the review page; the decision is stored, audited, and delivered by step 4.
//!
//! # Layers
//!
//! ```text
//! domain                               values in, values out
//!   ▲
//! photo   inference   store   procore  the four edges; none names another
//!   ▲
//! pipeline                             the only place that knows all four
//!   ▲
//! http                                 asks the store; holds no rules
//!   ▲
//! app, cli                             wiring
//! ```
//!
//! [`simulator`] (a stand-in for Procore), [`fixtures`] (painted photos) and [`evaluation`] (a model held against
//! labelled pictures) stand apart: the service never uses them.
//! So does [`fuzzing`], which hands what strangers may send to everything that reads it.
//!
//! What is deliberately *not* there, each held by `tests/it/tidy.rs`, clippy or the start-up:
//!
//! - [`domain`] does no I/O, reads no clock, draws nothing at random and knows no async: time and draws are arguments.
//! - No edge names another, nothing imports upwards, and each heavy dependency has one home.
//! - The Procore client never retries: it makes one attempt. Retries live in the queue alone.
//! - No failure is an empty result: "nothing seen" and "could not look" are different types.
//! - No other execution provider than the one asked for is ever used silently.
//! - Every class of the loaded model has a tagging rule, or the service does not start.
//! - There is one trait that stands for something exchangeable, [`inference::Detector`]; the database, Procore's stand-in
//!   and the browser in the tests are real.
//!
//! # Words
//!
//! A *photo* is what Procore's API calls an image. A *detection* is what the model saw (class, score, box); a *finding*
//! is one class of defect in one photo's content, with a place, a trade and a priority; a *card* is all that a reviewer
//! sees of it; a *draft* is a punch item whose `workflow_status` is `draft`. A *job* is claimed by a *lease* and ends
//! *dead* when its *attempts* are spent. A *manifest* says what a model is. Boxes, points and sizes are in *upright photo
//! pixels* unless their type says otherwise.
//!
//! # Where a change goes
//!
//! | to change | look at |
//! | --- | --- |
//! | which trade, priority, words | `src/domain/tagging.toml`, [`domain::tagging`], [`domain::wording`] |
//! | how a place is chosen | [`domain::place`], [`domain::site`] |
//! | what counts as the same, as known, as muted | [`domain::dedupe`], `src/store/sightings.rs` |
//! | what is written to Procore, and when | [`domain::delivery`], [`pipeline::deliver`] |
//! | who manages an accepted item | [`domain::manager`], [`domain::tagging`] |
//! | what a refusal means for the item and for the project | [`domain::refusal`], `src/pipeline/create.rs` |
//! | values of required and custom fields | [`domain::fields`] |
//! | a field of Procore's API | [`procore`], and [`simulator`] by its own reading of the contract |
//! | a limit or a timeout | the module's `default.toml` |
//! | how a model is measured | [`evaluation`], [`domain::measure`] |
//! | the model's output | [`inference`] and `models/training/reference.py`, which must agree |
//! | the review page | `src/http/review` |

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod evaluation;
pub mod failpoint;
pub mod fixtures;
pub mod fuzzing;
pub mod http;
pub mod inference;
pub mod photo;
pub mod pipeline;
pub mod procore;
pub mod secrets;
pub mod simulator;
pub mod store;
pub mod telemetry;
