//! Style, script and icons: embedded, and addressed by their content so that browsers keep them for good.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::domain::ids::Sha256Digest;

/// A file that is part of the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asset {
    name: &'static str,
    mime: &'static str,
    bytes: &'static [u8],
}

pub(super) const STYLE: Asset =
    Asset { name: "style.css", mime: "text/css; charset=utf-8", bytes: include_bytes!("review/style.css") };
pub(super) const SCRIPT: Asset =
    Asset { name: "app.js", mime: "text/javascript; charset=utf-8", bytes: include_bytes!("review/app.js") };
pub(super) const VIEWS: Asset =
    Asset { name: "views.css", mime: "text/css; charset=utf-8", bytes: include_bytes!("review/views.css") };
pub(super) const CHOICES: Asset = Asset {
    name: "choices.js",
    mime: "text/javascript; charset=utf-8",
    bytes: include_bytes!("review/choices.js"),
};
pub(super) const KEEP: Asset = Asset {
    name: "keep.js",
    mime: "text/javascript; charset=utf-8",
    bytes: include_bytes!("review/keep.js"),
};
pub(super) const MANIFEST: Asset = Asset {
    name: "manifest.webmanifest",
    mime: "application/manifest+json",
    bytes: include_bytes!("review/manifest.webmanifest"),
};
pub(super) const ICON_SVG: Asset =
    Asset { name: "icon.svg", mime: "image/svg+xml", bytes: include_bytes!("review/icon.svg") };
pub(super) const ICON_192: Asset =
    Asset { name: "icon-192.png", mime: "image/png", bytes: include_bytes!("review/icon-192.png") };
pub(super) const ICON_512: Asset =
    Asset { name: "icon-512.png", mime: "image/png", bytes: include_bytes!("review/icon-512.png") };

const ALL: [Asset; 9] = [STYLE, VIEWS, SCRIPT, CHOICES, KEEP, MANIFEST, ICON_SVG, ICON_192, ICON_512];

impl Asset {
    /// A text asset's text.
    pub(super) fn text(self) -> &'static str {
        std::str::from_utf8(self.bytes).unwrap_or_default()
    }

    /// The asset's address; it changes with the content.
    pub(super) fn url(self) -> String {
        let digest = Sha256Digest::of(self.bytes).to_string();
        format!("/review/assets/{}?v={}", self.name, &digest[..12])
    }
}

/// Serves one of the embedded files.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = ALL.into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::new(Body::from(asset.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.mime));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
