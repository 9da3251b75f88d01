//! Lists: every page, or an error. A list is never silently cut short.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::procore::client::{Call, Client};
use crate::procore::error::Error;
use crate::procore::wire::Answer;

/// The envelope of REST v2.
#[derive(Deserialize)]
pub(crate) struct Data<T> {
    pub(crate) data: T,
}

/// Where a list goes on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Link(String),
    Page(usize),
    End,
}

/// Procore's `Link` decides; where there is none, `Total`; and REST v2, which promises neither,
/// goes on until a page is not full.
fn next(answer: &Answer, page: usize, rows: usize, so_far: usize, full: Option<usize>) -> Next {
    if let Some(link) = &answer.next {
        return Next::Link(link.clone());
    }
    let more = match (answer.has_links, answer.total, full) {
        (true, ..) => false,
        (false, Some(total), _) => so_far < total,
        (false, None, Some(full)) => rows >= full,
        (false, None, None) => false,
    };
    if more && rows > 0 { Next::Page(page + 1) } else { Next::End }
}

impl Client {
    /// Every row of a REST v1 list, which is a bare array.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        what: &'static str,
        call: Call,
    ) -> Result<Vec<T>, Error> {
        self.pages(what, call, None, |answer| answer.read(what)).await
    }

    /// Every row of a REST v2 list, which lies under `data`.
    pub(crate) async fn list_v2<T: DeserializeOwned>(
        &self,
        what: &'static str,
        call: Call,
    ) -> Result<Vec<T>, Error> {
        let rows = |answer: &Answer| answer.read::<Data<Vec<T>>>(what).map(|envelope| envelope.data);
        self.pages(what, call, Some(self.per_page()), rows).await
    }

    fn per_page(&self) -> usize {
        self.config().per_page
    }

    async fn pages<T>(
        &self,
        what: &'static str,
        call: Call,
        full: Option<usize>,
        read: impl Fn(&Answer) -> Result<Vec<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let call = call.query("per_page", self.per_page());
        let mut asked = call.clone();
        let mut all = Vec::new();
        for page in 1..=self.config().max_pages {
            let answer = self.send(&asked).await?;
            let mut rows = read(&answer)?;
            let count = rows.len();
            all.append(&mut rows);
            asked = match next(&answer, page, count, all.len(), full) {
                Next::End => return Ok(all),
                Next::Page(page) => call.clone().query("page", page),
                Next::Link(link) => call.follow(link),
            };
        }
        let limit = format!("{} pages", self.config().max_pages);
        Err(Error::TooLarge { what, limit, key: "procore.max_pages" })
    }
}
