//! Lists: every page, or an error. A list is never silently cut short.
//!
//! Procore's pages disagree about how a list goes on: with `Link`, with `Total`, with both or with neither; a link may
//! lack parts of the query, or name another host; a server may send smaller pages than were asked for. So a link says
//! only *that* there is more and which page it is on; the query is always ours. Where nothing is said, a page that may
//! be a full one is followed by another request.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::procore::auth::Token;
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::wire::{Answer, NextLink};

/// The most rows of a page in REST v1, by Procore's guide to pagination.
pub(crate) const V1_ROWS: usize = 2000;

/// The most rows of a page in REST v2, by the same guide.
pub(crate) const V2_ROWS: usize = 100;

/// The most rows of a page of projects, by Procore's reference.
pub(crate) const PROJECT_ROWS: usize = 300;

/// Rows of a page of photos or punch items, which have so many fields that Procore may find a longer page too heavy
/// (408).
pub(crate) const HEAVY_ROWS: usize = 500;

/// The smallest size at which an API cuts pages by itself. A page that is shorter is not a full one, whatever the
/// server's cap.
pub(crate) const SMALLEST_CAP: usize = 10;

/// The envelope of REST v2.
#[derive(Deserialize)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}

/// What is known once a page has been read.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    /// The page's number, from 1.
    page: usize,
    /// Rows that were asked for.
    asked: usize,
    rows: usize,
    /// Those that no earlier page had.
    new: usize,
    /// Different rows so far.
    known: usize,
    /// Rows of the largest page so far.
    largest: usize,
    /// `Link` with `rel="next"`.
    link: Option<NextLink>,
    /// Whether there was a `Link` header at all.
    has_links: bool,
    /// `Total`.
    total: Option<usize>,
    /// `Per-Page`.
    per_page: Option<usize>,
}

/// Where a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// There is more on this page.
    Page(usize),
    /// There may be more on this page; the server said nothing about it.
    Perhaps(usize),
    End,
    /// The same rows came again although there must be more.
    Repeats,
}

fn next(read: &Read) -> Next {
    let after = read.page + 1;
    let more_by_total = read.total.is_some_and(|total| read.known < total);
    if read.rows > 0 && read.new == 0 {
        // A list that does not page gives all its rows each time. A full page of them proves nothing.
        let whole = read.link.is_none() && !more_by_total && read.largest != read.asked;
        return if whole { Next::End } else { Next::Repeats };
    }
    match read {
        Read { link: Some(named), .. } => {
            Next::Page(named.page.filter(|page| *page > read.page).unwrap_or(after))
        }
        Read { rows: 0, .. } => Next::End,
        Read { total: Some(_), .. } if more_by_total => Next::Page(after),
        Read { total: Some(_), .. } | Read { has_links: true, .. } => Next::End,
        Read { per_page: Some(size), .. } if read.rows < *size => Next::End,
        Read { page: 1, .. } if read.rows >= read.asked.min(SMALLEST_CAP) => Next::Perhaps(after),
        Read { page: 1, .. } => Next::End,
        _ if read.rows >= read.largest => Next::Perhaps(after),
        _ => Next::End,
    }
}

/// A list on its way: page after page, from wherever it was left.
#[derive(Debug, Clone)]
pub struct Pages {
    client: Client,
    /// For whom is asked, where that is not the service account.
    token: Option<Token>,
    what: &'static str,
    call: Call,
    asked: usize,
    envelope: bool,
    next: Next,
    read: usize,
    largest: usize,
    seen: HashSet<u64>,
}

impl Pages {
    fn new(client: &Client, what: &'static str, call: Call, most: usize, envelope: bool) -> Self {
        let asked = client.config().per_page.min(most);
        let (read, largest) = (0, 0);
        let next = Next::Page(1);
        let client = client.clone();
        let token = None;
        Self { client, token, what, call, asked, envelope, next, read, largest, seen: HashSet::new() }
    }

    /// The page that is read next; nothing once all were read.
    pub fn page(&self) -> Option<usize> {
        match self.next {
            Next::Page(page) | Next::Perhaps(page) => Some(page),
            Next::End | Next::Repeats => None,
        }
    }

    /// Rows that are asked for with each page.
    pub fn size(&self) -> usize {
        self.asked
    }

    /// Goes on at `page`, with `rows` read before; each as an object with its `id`.
    pub fn resume(&mut self, page: usize, rows: &[Value]) {
        self.seen.extend(rows.iter().map(identity));
        self.largest = rows.len().checked_div(page.saturating_sub(1)).unwrap_or_default();
        self.next = Next::Page(page);
    }

    /// The next page's rows, without those that an earlier page had; `None` once all were read.
    ///
    /// # Errors
    /// When the page cannot be had. It can be asked for again.
    pub async fn read<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, Error> {
        let Some(page) = self.page() else { return Ok(None) };
        if self.read >= self.client.config().max_pages {
            let limit = format!("{} pages", self.client.config().max_pages);
            return Err(Error::TooLarge { what: self.what, limit, key: "procore.max_pages" });
        }
        let mut call = self.call.clone().query("per_page", self.asked);
        if page > 1 {
            call = call.query("page", page);
        }
        let answer = match &self.token {
            Some(token) => self.client.attempt(&call, token).await,
            None => self.client.send(&call).await,
        };
        let answer = match answer {
            // There was no such page, and nobody had said that there would be.
            Err(Error::NotFound { .. } | Error::Rejected { .. }) if self.next == Next::Perhaps(page) => {
                self.next = Next::End;
                return Ok(None);
            }
            answer => answer?,
        };
        let rows = self.take(page, &answer)?;
        self.read += 1;
        Ok(Some(rows))
    }

    fn take<T: DeserializeOwned>(&mut self, page: usize, answer: &Answer) -> Result<Vec<T>, Error> {
        let rows: Vec<T> = self.rows(answer)?;
        let identities: Vec<u64> = self.rows::<Value>(answer)?.iter().map(identity).collect();
        let new: Vec<bool> = identities.into_iter().map(|row| self.seen.insert(row)).collect();
        self.largest = self.largest.max(rows.len());
        let read = Read {
            page,
            asked: self.asked,
            rows: rows.len(),
            new: new.iter().filter(|new| **new).count(),
            known: self.seen.len(),
            largest: self.largest,
            link: answer.next,
            has_links: answer.has_links,
            total: answer.total,
            per_page: answer.per_page,
        };
        let next = next(&read);
        if next == Next::Repeats {
            return Err(Error::Unreadable {
                what: self.what,
                path: format!("page {page}"),
                message: "the rows of an earlier page came again, so the list cannot be read to its end"
                    .into(),
            });
        }
        self.next = next;
        Ok(rows.into_iter().zip(new).filter_map(|(row, new)| new.then_some(row)).collect())
    }

    fn rows<T: DeserializeOwned>(&self, answer: &Answer) -> Result<Vec<T>, Error> {
        if self.envelope {
            return answer.read::<Data<Vec<T>>>(self.what).map(|envelope| envelope.data);
        }
        answer.read(self.what)
    }

    pub(crate) async fn all<T: DeserializeOwned>(mut self) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        while let Some(rows) = self.read().await? {
            all.extend(rows);
        }
        Ok(all)
    }
}

/// What tells one row from another: its id, or else all of it.
fn identity(row: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let id = ["id", "event_id"].iter().find_map(|name| lenient::text_of(&row[*name]));
    id.unwrap_or_else(|| row.to_string()).hash(&mut hasher);
    hasher.finish()
}

impl Client {
    /// A REST v1 list, which is a bare array, of at most `most` rows a page.
    pub(crate) fn pages(&self, what: &'static str, call: Call, most: usize) -> Pages {
        Pages::new(self, what, call, most, false)
    }

    /// The same, as it is for whom `token` speaks.
    pub(crate) fn pages_as(&self, token: &Token, what: &'static str, call: Call, most: usize) -> Pages {
        Pages { token: Some(token.clone()), ..self.pages(what, call, most) }
    }

    /// Every row of a REST v1 list.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        what: &'static str,
        call: Call,
        most: usize,
    ) -> Result<Vec<T>, Error> {
        self.pages(what, call, most).all().await
    }

    /// Every row of a REST v2 list, which lies under `data`.
    pub(crate) async fn list_v2<T: DeserializeOwned>(
        &self,
        what: &'static str,
        call: Call,
    ) -> Result<Vec<T>, Error> {
        Pages::new(self, what, call, V2_ROWS, true).all().await
    }
}

#[cfg(test)]
mod tests;
