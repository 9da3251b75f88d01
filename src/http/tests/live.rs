//! Live updates.

use axum::body::BodyDataStream;
use futures_util::StreamExt;

use super::*;

async fn listen(site: &Site) -> BodyDataStream {
    let cookie = site.sign_in("Ana").await;
    let request =
        Request::get("/review/events").header("cookie", cookie).body(Body::empty()).expect("a request");
    let response = site.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    response.into_body().into_data_stream()
}

async fn text(stream: &mut BodyDataStream) -> Option<String> {
    let chunk = stream.next().await?.expect("no error");
    Some(String::from_utf8_lossy(&chunk).into_owned())
}

#[tokio::test]
async fn a_page_hears_of_changes_until_the_service_stops() {
    let site = Site::with(|sections| sections.review.live_gap_ms = 0).await;
    let mut stream = listen(&site).await;
    assert!(text(&mut stream).await.is_some_and(|text| text.contains("hello")));
    site.found(1, |_| ()).await;
    let told = text(&mut stream).await.expect("an event");
    assert!(
        told.contains("event: changed\ndata: look again\n\n"),
        "browsers take one without data for none: {told}"
    );
    site.stopping.cancel();
    assert_eq!(text(&mut stream).await, None);
}
