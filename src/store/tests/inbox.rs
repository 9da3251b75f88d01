use super::{Fresh, analyse, at, claim, on_both};
use crate::domain::job::{InboxId, Job};
use crate::store::{Error, NewDelivery, Received};

on_both![
    a_repeated_delivery_is_stored_and_queued_once,
    settling_without_the_lease_changes_nothing,
    an_unknown_delivery_is_not_found,
];

fn delivery(key: &str) -> NewDelivery {
    NewDelivery { dedupe_key: key.into(), body: br#"{"resource_name":"Images"}"#.to_vec() }
}

async fn a_repeated_delivery_is_stored_and_queued_once(fresh: Fresh) {
    let store = &fresh.store;
    let Received::Stored(id) = store.receive(&delivery("ulid-1"), at(1)).await.expect("stores") else {
        panic!("the first one is new");
    };
    assert_eq!(store.receive(&delivery("ulid-1"), at(2)).await.expect("answers"), Received::Duplicate);
    let claimed = claim(store, "box", 3).await.expect("the routing is queued");
    assert_eq!(claimed.job, Job::RouteEvent { inbox: id });
    assert!(claim(store, "box", 3).await.is_none(), "once");
    let row = store.delivery(id).await.expect("is there");
    assert_eq!((row.body, row.received_at, row.route), (delivery("").body, at(1), None));

    store.settle_delivery(&claimed.lease, id, "analyze 41", &[analyse(41)], at(4)).await.expect("settles");
    assert_eq!(store.delivery(id).await.expect("is there").route.as_deref(), Some("analyze 41"));
    assert_eq!(claim(store, "box", 5).await.expect("the follow-up").job, analyse(41));
    assert_eq!(store.receive(&delivery("ulid-1"), at(6)).await.expect("answers"), Received::Duplicate);
}

async fn settling_without_the_lease_changes_nothing(fresh: Fresh) {
    let store = &fresh.store;
    store.receive(&delivery("ulid-1"), at(0)).await.expect("stores");
    let frozen = claim(store, "box", 0).await.expect("queued");
    let Job::RouteEvent { inbox } = frozen.job else { panic!("a routing") };
    claim(store, "other", 61).await.expect("abandoned");
    let late = store.settle_delivery(&frozen.lease, inbox, "analyze", &[analyse(1)], at(62)).await;
    assert!(matches!(late, Err(Error::LeaseLost)));
    assert_eq!(store.delivery(inbox).await.expect("is there").route, None);
    assert!(claim(store, "box", 62).await.is_none(), "no follow-up was queued");
}

async fn an_unknown_delivery_is_not_found(fresh: Fresh) {
    assert!(matches!(fresh.store.delivery(InboxId(7)).await, Err(Error::NotFound(_))));
}
