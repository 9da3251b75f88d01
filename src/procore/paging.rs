//! Lists: every page, or an error. A list is never silently cut short.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::procore::call::Call;
use crate::procore::client::Client;
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
        (false, Some(total), _) => so_far < total,
        (false, None, Some(full)) => rows >= full,
        (true, ..) | (false, None, None) => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ImageId;
    use crate::procore::Config;
    use crate::procore::images::ImageFilter;
    use crate::procore::stub::{PROJECT, Reply, Seen, Stub};

    async fn ids(stub: &Stub, change: impl FnOnce(&mut Config)) -> Result<Vec<i64>, Error> {
        let mut config = stub.config();
        change(&mut config);
        let client = Client::new(&config, None).expect("complete");
        let images = client.images(PROJECT, &ImageFilter::default()).await?;
        Ok(images.into_iter().map(|image| image.id.value()).collect())
    }

    fn page(seen: &Seen) -> usize {
        seen.asked("page").first().map_or(1, |page| page.parse().expect("a number"))
    }

    fn link(seen: &Seen, host: &str) -> String {
        format!(r#"<{host}/rest/v1.0/images?project_id=6778&page={}>; rel="next""#, page(seen) + 1)
    }

    #[tokio::test]
    async fn links_are_followed_to_the_end() {
        let stub = Stub::api(|seen| {
            let host = format!("http://{}", seen.header("host").expect("a host"));
            let reply = Reply::ok(&format!(r#"[{{"id": {}}}]"#, page(seen)));
            if page(seen) < 3 { reply.with("Link", link(seen, &host)) } else { reply }
        })
        .await;
        assert_eq!(ids(&stub, |_| ()).await.expect("listed"), [1, 2, 3]);
    }

    #[tokio::test]
    async fn without_links_the_total_decides() {
        let stub =
            Stub::api(|seen| Reply::ok(&format!(r#"[{{"id": {}}}]"#, page(seen))).with("Total", 3)).await;
        assert_eq!(ids(&stub, |_| ()).await.expect("listed"), [1, 2, 3]);
        let silent = Stub::api(|_| Reply::ok(r#"[{"id": 1}]"#)).await;
        assert_eq!(ids(&silent, |config| config.per_page = 1).await.expect("listed"), [1]);
    }

    #[tokio::test]
    async fn a_list_is_whole_or_an_error() {
        let endless = Stub::api(|seen| {
            let host = format!("http://{}", seen.header("host").expect("a host"));
            Reply::ok(r#"[{"id": 1}]"#).with("Link", link(seen, &host))
        })
        .await;
        let error = ids(&endless, |config| config.max_pages = 4).await.expect_err("endless");
        assert!(matches!(error, Error::TooLarge { key: "procore.max_pages", .. }));
        let broken = Stub::api(|seen| match page(seen) {
            1 => Reply::ok(r#"[{"id": 1}]"#).with("Total", 2),
            _ => Reply::json(500, ""),
        })
        .await;
        assert!(ids(&broken, |_| ()).await.is_err());
        let astray = Stub::api(|seen| {
            Reply::ok(r#"[{"id": 1}]"#).with("Link", link(seen, "https://elsewhere.example"))
        })
        .await;
        assert!(matches!(ids(&astray, |_| ()).await, Err(Error::Refused { .. })));
    }

    #[tokio::test]
    async fn many_ids_are_asked_for_in_turns() {
        let stub = Stub::api(|seen| {
            let rows: Vec<String> =
                seen.asked("filters[id][]").iter().map(|id| format!(r#"{{"id": "{id}"}}"#)).collect();
            Reply::ok(&format!("[{}]", rows.join(",")))
        })
        .await;
        let config = Config { ids_per_call: 2, ..stub.config() };
        let client = Client::new(&config, None).expect("complete");
        let filter = ImageFilter { ids: (1..=5).map(ImageId::new).collect(), updated_between: None };
        let images = client.images(PROJECT, &filter).await.expect("listed");
        assert_eq!((images.len(), stub.calls().len()), (5, 3));
    }
}
