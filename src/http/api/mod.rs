//! The same for scripts: JSON in, JSON out, errors as problem documents, all of it told by an `OpenAPI` document.

mod ask;
mod decisions;
mod findings;
mod lists;
mod openapi;
mod photos;

use axum::Router;
use axum::routing::{any, delete, get, post};

use crate::http::State;
use crate::http::error::{HttpError, Problem};

#[cfg(test)]
pub(super) use openapi::DOCUMENT;

/// Declares the routes and, for the check of the document against them, what they are.
macro_rules! operations {
    ($($method:ident $path:literal => $handler:path;)*) => {
        /// Every operation as method and path.
        #[cfg(test)]
        pub(super) const OPERATIONS: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn documented() -> Router<State> {
            Router::new()$(.route($path, $method($handler)))*
        }
    };
}

operations! {
    get "/api/v1/openapi.json" => openapi::document;
    get "/api/v1/me" => lists::me;
    get "/api/v1/projects" => lists::projects;
    get "/api/v1/projects/{project}/choices/{list}" => lists::choices;
    get "/api/v1/counts" => findings::counts;
    get "/api/v1/findings" => findings::list;
    get "/api/v1/findings/{finding}" => findings::one;
    post "/api/v1/findings/{finding}/decision" => decisions::decide;
    delete "/api/v1/findings/{finding}/decision" => decisions::undo;
    post "/api/v1/findings/{finding}/send-again" => decisions::send_again;
    post "/api/v1/decisions" => decisions::decide_batch;
    post "/api/v1/decisions/undo" => decisions::undo_batch;
    get "/api/v1/photos/{photo}/picture" => findings::picture;
    get "/api/v1/photos/left-out" => photos::left_out;
    post "/api/v1/photos/{photo}/look-again" => photos::look_again;
    get "/api/v1/mutes" => lists::mutes;
    post "/api/v1/mutes" => lists::add_mute;
    delete "/api/v1/mutes/{mute}" => lists::lift_mute;
    get "/api/v1/record" => lists::record;
}

/// The routes below `/api`; anything else there is told as a problem too.
pub(super) fn routes() -> Router<State> {
    documented()
        .route("/api", any(nowhere))
        .route("/api/", any(nowhere))
        .route("/api/{*rest}", any(nowhere))
        .method_not_allowed_fallback(|| async { Problem(HttpError::WrongMethod) })
}

async fn nowhere() -> Problem {
    Problem(HttpError::NotFound("operation"))
}
