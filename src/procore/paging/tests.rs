use std::fmt::Write as _;

use super::*;
use crate::domain::ids::ImageId;
use crate::procore::Config;
use crate::procore::images::ImageFilter;
use crate::procore::stub::{PROJECT, Reply, Seen, Stub};

/// How a server pages a list of `rows` rows.
#[derive(Clone, Copy)]
struct Server {
    rows: usize,
    /// The largest page that it sends.
    cap: usize,
    /// What `Link` leads to, if it sends one.
    link: Option<&'static str>,
    total: bool,
    per_page: bool,
}

const BARE: Server = Server { rows: 250, cap: 2000, link: None, total: false, per_page: false };

impl Server {
    fn answer(self, seen: &Seen) -> Reply {
        assert_eq!(seen.asked("project_id"), ["6778"], "the query is whole on every page");
        let number = |name| seen.asked(name).first().map(|text| text.parse::<usize>().expect("a number"));
        let (page, asked) = (number("page").unwrap_or(1), number("per_page").expect("asked for"));
        let size = asked.min(self.cap);
        let first = (page - 1) * size;
        let rows: Vec<String> =
            (first..self.rows.min(first + size)).map(|id| format!(r#"{{"id": {}}}"#, id + 1)).collect();
        let mut reply = Reply::ok(&format!("[{}]", rows.join(",")));
        if self.total {
            reply = reply.with("Total", self.rows);
        }
        if self.per_page {
            reply = reply.with("Per-Page", size);
        }
        match self.link.filter(|_| first + size < self.rows) {
            Some(target) => {
                let next = page + 1;
                let mut link = format!(r#"<{target}?page=1>; rel="first", "#);
                write!(link, r#"<{target}?per_page={size}&page={next}>; rel="next""#).expect("text");
                reply.with("Link", link)
            }
            None => reply,
        }
    }
}

/// How many rows are read from `server`, with pages of `per_page`, and with how many calls.
async fn read(server: Server, per_page: usize) -> (usize, usize) {
    let stub = Stub::api(move |seen| server.answer(seen)).await;
    let rows = ids(&stub, |config| config.per_page = per_page).await.expect("listed");
    assert_eq!(rows, (1..=i64::try_from(rows.len()).expect("few")).collect::<Vec<_>>());
    (rows.len(), stub.calls().len())
}

async fn ids(stub: &Stub, change: impl FnOnce(&mut Config)) -> Result<Vec<i64>, Error> {
    let mut config = stub.config();
    change(&mut config);
    let client = Client::new(&config, None).expect("complete");
    let images = client.images(PROJECT, &ImageFilter::default()).await?;
    Ok(images.into_iter().map(|image| image.id.value()).collect())
}

#[tokio::test]
async fn a_link_says_that_there_is_more_and_the_query_is_ours() {
    for target in ["http://127.0.0.1:9/rest/v1.0/images", "https://elsewhere.example/x", "", "/other"] {
        let server = Server { link: Some(target), ..BARE };
        assert_eq!(read(server, 100).await, (250, 3), "{target}");
    }
}

#[tokio::test]
async fn every_way_of_paging_is_read_to_its_end() {
    let total = Server { total: true, ..BARE };
    assert_eq!(read(total, 100).await, (250, 3));
    assert_eq!(read(Server { cap: 40, ..total }, 100).await, (250, 7));
    assert_eq!(read(BARE, 100).await, (250, 3));
    // Nothing but an empty page tells that the last full one was the last.
    assert_eq!(read(Server { rows: 200, ..BARE }, 100).await, (200, 3));
    assert_eq!(read(Server { cap: 100, ..BARE }, 500).await, (250, 3));
    assert_eq!(read(Server { cap: 100, per_page: true, ..BARE }, 500).await, (250, 3));
    assert_eq!(read(Server { rows: 60, per_page: true, ..BARE }, 500).await, (60, 1));
    // A handful of rows is no full page of any server.
    assert_eq!(read(Server { rows: 7, ..BARE }, 500).await, (7, 1));
    assert_eq!(read(Server { rows: 0, ..BARE }, 500).await, (0, 1));
}

#[tokio::test]
async fn a_list_that_does_not_page_is_read_once() {
    let rows: Vec<String> = (1..=30).map(|id| format!(r#"{{"id": {id}}}"#)).collect();
    let all = format!("[{}]", rows.join(","));
    let same = all.clone();
    let deaf = Stub::api(move |_| Reply::ok(&same)).await;
    assert_eq!(ids(&deaf, |_| ()).await.expect("listed").len(), 30);
    let strict = Stub::api(move |seen| match seen.asked("page")[..] {
        [] => Reply::ok(&all),
        _ => Reply::json(404, "{}"),
    })
    .await;
    assert_eq!(ids(&strict, |_| ()).await.expect("listed").len(), 30);
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let link = |seen: &Seen| {
        let page = seen.asked("page").first().map_or(1, |page| page.parse::<usize>().expect("a number"));
        (page, format!(r#"<https://a/x?page={}>; rel="next""#, page + 1))
    };
    let endless = Stub::api(move |seen| {
        let (page, link) = link(seen);
        Reply::ok(&format!(r#"[{{"id": {page}}}]"#)).with("Link", link)
    })
    .await;
    let error = ids(&endless, |config| config.max_pages = 4).await.expect_err("endless");
    assert!(matches!(error, Error::TooLarge { key: "procore.max_pages", .. }));
    let turning = Stub::api(move |seen| Reply::ok(r#"[{"id": 1}]"#).with("Link", link(seen).1)).await;
    let same = Stub::api(|_| Reply::ok(r#"[{"id": 1}]"#).with("Total", 3)).await;
    let full = Stub::api(|_| Reply::ok(r#"[{"id": 1}]"#)).await;
    for (stub, why) in [(&turning, "Link"), (&same, "Total"), (&full, "a full page")] {
        let error = ids(stub, |config| config.per_page = 1).await.expect_err(why);
        assert!(matches!(&error, Error::Unreadable { path, .. } if path == "page 2"), "{why}: {error:?}");
        assert_eq!(stub.calls().len(), 2, "{why}");
    }
    let broken = Stub::api(move |seen| match link(seen).0 {
        1 => Reply::ok(r#"[{"id": 1}]"#).with("Total", 2),
        _ => Reply::json(500, ""),
    })
    .await;
    assert!(ids(&broken, |_| ()).await.is_err());
}

#[tokio::test]
async fn rows_that_move_to_the_next_page_meanwhile_are_read_once() {
    let stub = Stub::api(|seen| match seen.asked("page")[..] {
        [] => Reply::ok(r#"[{"id": 1}, {"id": 2}]"#).with("Total", 3),
        _ => Reply::ok(r#"[{"id": "2"}, {"id": 3}]"#).with("Total", 3),
    })
    .await;
    assert_eq!(ids(&stub, |_| ()).await.expect("listed"), [1, 2, 3]);
}

#[tokio::test]
async fn reading_goes_on_from_where_it_stopped() {
    let server = Server { link: Some("/x"), ..BARE };
    let down = std::sync::atomic::AtomicBool::new(true);
    let stub = Stub::api(move |seen| match seen.asked("page")[..] {
        ["2"] if down.swap(false, std::sync::atomic::Ordering::SeqCst) => Reply::json(502, ""),
        _ => server.answer(seen),
    })
    .await;
    let config = Config { per_page: 100, ..stub.config() };
    let client = Client::new(&config, None).expect("complete");
    let call = Call::get(PROJECT.company, "/rest/v1.0/x").query("project_id", PROJECT.project);
    let mut pages = client.pages("rows", call.clone(), V1_ROWS);
    let first: Vec<Value> = pages.read().await.expect("the first page").expect("rows");
    pages.read::<Value>().await.expect_err("the second page");
    assert_eq!(pages.page(), Some(2));
    // Another process knows what was read, and the page that comes next.
    let mut resumed = client.pages("rows", call, V1_ROWS);
    resumed.resume(2, &first);
    let rest: Vec<Value> = resumed.all().await.expect("the rest");
    assert_eq!((first.len(), rest.len(), stub.calls().len()), (100, 150, 4));
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
