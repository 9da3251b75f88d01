//! Lists page by page, in the several ways that Procore's pages describe.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::call::{Call, Reply};
use super::state::Sim;

/// What `Link` looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// The whole query, on this host.
    #[default]
    Whole,
    /// The page and its size alone, as in Procore's guide to pagination.
    Bare,
    /// The whole query, on a host that is not this one, as on an older page of Procore's.
    OtherHost,
    None,
}

/// How lists are told in pages. The default is what most of Procore's lists do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listing {
    /// What `Link` looks like.
    pub links: Links,
    /// Whether `Total` is left out.
    pub no_total: bool,
    /// Whether `Per-Page` is left out.
    pub no_per_page: bool,
    /// The most rows of a page, where that is less than the operation's own limit.
    pub cap: Option<usize>,
    /// Whether `page` is passed over, so that the first page comes again and again.
    pub deaf: bool,
}

impl Listing {
    /// Neither `Link` nor `Total` nor `Per-Page`.
    pub const BARE: Self =
        Self { links: Links::None, no_total: true, no_per_page: true, cap: None, deaf: false };
}

impl Reply {
    /// The page of `rows` that is asked for, as a list.
    pub(super) fn page(sim: &Sim, call: &Call, rows: &[Value], most: usize) -> Self {
        let page = Page::of(sim, call, rows.len(), 100, most);
        Self::listed(sim, call, &page, page.cut(rows).to_vec())
    }

    /// `rows` as a list, with `Total`, `Per-Page` and `Link`.
    pub(super) fn listed(sim: &Sim, call: &Call, page: &Page, rows: Vec<Value>) -> Self {
        Self::ok(Value::Array(rows)).paged(sim, call, page)
    }

    fn paged(mut self, sim: &Sim, call: &Call, page: &Page) -> Self {
        if !page.listing.no_total {
            self = self.with("total", &page.total.to_string());
        }
        if !page.listing.no_per_page {
            self = self.with("per-page", &page.size.to_string());
        }
        if page.listing.links == Links::None { self } else { self.with("link", &page.links(sim, call)) }
    }

    /// One page of `rows` the way of REST v2.0: under `data`.
    pub(super) fn data_page(sim: &Sim, call: &Call, rows: &[Value]) -> Self {
        let page = Page::of(sim, call, rows.len(), 10, 100);
        Self::ok(json!({ "data": page.cut(rows) })).paged(sim, call, &page)
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    number: usize,
    size: usize,
    total: usize,
    listing: Listing,
}

impl Page {
    /// The page that `call` asks for, of `total` rows; `default` and at most `most` a page.
    pub(super) fn of(sim: &Sim, call: &Call, total: usize, default: usize, most: usize) -> Self {
        let listing = *sim.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let number = |name: &str| call.query(name).and_then(|text| text.parse::<usize>().ok());
        let most = listing.cap.unwrap_or(most).min(most).max(1);
        Self {
            number: number("page").filter(|_| !listing.deaf).unwrap_or(1).max(1),
            size: number("per_page").filter(|size| *size > 0).unwrap_or(default).min(most),
            total,
            listing,
        }
    }

    /// The rows that are on it.
    pub(super) fn cut<'a, T>(&self, rows: &'a [T]) -> &'a [T] {
        let start = (self.number - 1).saturating_mul(self.size).min(rows.len());
        &rows[start..rows.len().min(start.saturating_add(self.size))]
    }

    fn links(&self, sim: &Sim, call: &Call) -> String {
        let last = self.total.div_ceil(self.size).max(1);
        let link = |page: usize, rel: &str| {
            let mut url = sim.reached_at.clone();
            url.set_path(&call.path);
            let others = call.query.iter().filter(|(key, _)| key != "page" && key != "per_page");
            let others = others.filter(|_| self.listing.links != Links::Bare);
            url.query_pairs_mut()
                .extend_pairs(others)
                .append_pair("page", &page.to_string())
                .append_pair("per_page", &self.size.to_string());
            if self.listing.links == Links::OtherHost {
                // The path and the query stay; a client that goes there finds nobody.
                url = sim.storage.join(&url[url::Position::BeforePath..]).unwrap_or(url);
            }
            format!("<{url}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.extend([link(1, "first"), link(self.number - 1, "prev")]);
        }
        if self.number < last {
            links.extend([link(self.number + 1, "next"), link(last, "last")]);
        }
        links.join(", ")
    }
}
