//! The web surface: webhook receiver, review page, API, health and metrics.

mod api;
mod assets;
pub mod choices;
mod config;
mod error;
mod guard;
mod headers;
mod key;
mod limiter;
mod live;
mod mutes;
mod ops;
pub mod password;
mod procore_sign_in;
mod review;
#[cfg(test)]
mod sample;
mod server;
mod session;
mod sign_in;
mod skipped_photos;
mod state;
#[cfg(test)]
mod tests;
mod tls;
mod webhooks;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};

pub use crate::http::config::{BadSignIn, BadZone, DEFAULTS, HttpConfig, ReviewConfig, SignInConfig};
pub use crate::http::key::{KeyError, ReviewKey};
pub use crate::http::ops::{Check, CheckState, Health};
pub use crate::http::server::serve;
pub use crate::http::session::{Secret, tidy_name};
pub use crate::http::sign_in::TOKEN_PREFIX;
pub use crate::http::state::{Parts, State};
pub use crate::http::tls::{Tls, TlsError};
pub use crate::http::webhooks::{Authenticator, Verifier, Webhook};

/// Every route of the service.
pub fn router(state: State) -> Router {
    let forms = DefaultBodyLimit::max(state.http().form_max_bytes);
    Router::new()
        .route("/procore/events", post(webhooks::receive))
        .route("/livez", get(ops::live))
        .route("/readyz", get(ops::ready))
        .route("/metrics", get(ops::metrics))
        .route("/", get(review::home))
        .route("/review", get(review::list))
        .route("/review/sign-in", get(review::sign_in_page).post(review::sign_in))
        .route("/review/sign-out", post(review::sign_out))
        .route("/review/procore", get(procore_sign_in::come_back))
        .route("/review/procore/start", get(procore_sign_in::leave))
        .route("/review/events", get(live::events))
        .route("/review/assets/{name}", get(assets::serve))
        .route("/review/photos/{photo}/picture", get(review::picture))
        .route("/review/findings/{finding}/crop", get(review::crop))
        .route("/review/findings/{finding}/score-map", get(review::score_map))
        .route("/review/choices/{project}/{list}", get(review::choices))
        .route("/review/findings/{finding}", get(review::card))
        .route("/review/findings/{finding}/accept", post(review::accept))
        .route("/review/findings/{finding}/reject", post(review::reject))
        .route("/review/findings/{finding}/undo", post(review::undo))
        .route("/review/findings/{finding}/send-again", post(review::send_again))
        .route("/review/batch", post(review::decide_batch))
        .route("/review/batch/undo", post(review::undo_batch))
        .route("/review/plan", get(review::plan))
        .route("/review/photos", get(review::photos))
        .route("/review/photos/{photo}/look-again", post(review::look_again))
        .route("/review/record", get(review::record))
        .route("/review/report", get(review::report))
        .route("/review/mutes", post(review::mute))
        .route("/review/mutes/{mute}/lift", post(review::lift_mute))
        .merge(api::routes())
        .fallback(review::nowhere)
        .layer(forms)
        .layer(middleware::from_fn_with_state(state.clone(), headers::limit_time))
        .layer(middleware::from_fn_with_state(state.clone(), headers::secure))
        .with_state(state)
}
