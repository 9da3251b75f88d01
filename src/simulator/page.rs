//! One plain page for people: what is in the simulated Procore.

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};

use super::call::stamp;
use super::state::{Sim, World};

/// How many deliveries are shown.
const DELIVERIES: usize = 50;

pub(super) const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;\
    color:#1d2327;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;\
    border-bottom:1px solid #dcdfe2;vertical-align:top}img{width:96px;height:72px;object-fit:cover}\
    .scroll{overflow-x:auto}p{color:#50575e}@media(prefers-color-scheme:dark){body{color:#e6e8ea;\
    background:#15181b}td,th{border-color:#343a40}p{color:#a0a8b0}a{color:#8ab4f8}}";

pub(super) fn routes() -> Router<Sim> {
    Router::new().route("/", get(page))
}

async fn page(State(sim): State<Sim>) -> Html<String> {
    let world = sim.world();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Simulated Procore" }
                style { (STYLE) }
            }
            body {
                h1 { "Simulated Procore: " (world.company.name) }
                p { "A stand-in for tests and demonstrations; nothing here is Procore's. It is "
                    (stamp(sim.now())) " here." }
                form method="post" action="/simulator/photos" enctype="multipart/form-data" {
                    label { "Upload a photo " input type="file" name="photo" accept="image/*" required; }
                    label { " at " select name="location_id" {
                        option value="" { "no location" }
                        @for place in world.locations.values() {
                            option value=(place.id) { (place.path.join(" > ")) }
                        }
                    } }
                    " " button { "Upload" }
                }
                (punch_items(&world))
                (photos(&world))
                (hooks(&world))
                (deliveries(&world))
            }
        }
    };
    Html(page.into_string())
}

fn photos(world: &World) -> Markup {
    html! {
        h2 { "Photos (" (world.images.len()) ")" }
        div.scroll { table {
            tr { th { "" } th { "File" } th { "Location" } th { "Uploaded" } th { "State" } }
            @for image in world.images.values().rev() {
                tr {
                    td { img src={ "/simulator/files/" (image.key) } alt=(image.filename) loading="lazy"; }
                    td { (image.filename) br; (image.id) }
                    td { (place(world, image.location)) }
                    td { (stamp(image.created_at)) }
                    td { @if image.deleted { "deleted" } @else if image.private { "private" } }
                }
            }
        } }
    }
}

fn punch_items(world: &World) -> Markup {
    html! {
        h2 { "Punch items (" (world.punch_items.len()) ")" }
        div.scroll { table {
            tr { th { "#" } th { "Title" } th { "Status" } th { "Priority" } th { "Trade" } th { "Location" } th { "Reference" } }
            @for item in world.punch_items.values().rev() {
                tr {
                    td { (item.position) }
                    td { (item.name) }
                    td { (item.workflow_status) @if item.deleted_at.is_some() { " (deleted)" } }
                    td { (item.priority.as_deref().unwrap_or_default()) }
                    td { @if let Some(trade) = item.trade.and_then(|id| world.trade(id)) { (trade.name) } }
                    td { (place(world, item.location)) }
                    td { (item.reference.as_deref().unwrap_or_default()) }
                }
            }
        } }
    }
}

fn hooks(world: &World) -> Markup {
    html! {
        h2 { "Hooks (" (world.hooks.len()) ")" }
        div.scroll { table {
            tr { th { "Id" } th { "Destination" } th { "Payload" } th { "Listens for" } th { "State" } }
            @for hook in world.hooks.values() {
                tr {
                    td { (hook.id) }
                    td { (hook.destination_url) }
                    td { (hook.version) }
                    td { @for trigger in &hook.triggers { (trigger.resource) " " (trigger.change.name()) br; } }
                    td { @if hook.enabled { "active" } @else { "disabled" } }
                }
            }
        } }
    }
}

fn deliveries(world: &World) -> Markup {
    html! {
        h2 { "Latest deliveries (of " (world.deliveries.len()) ")" }
        div.scroll { table {
            tr { th { "At" } th { "Event" } th { "State" } th { "Attempts" } th { "Last answer" } }
            @for delivery in world.deliveries.values().rev().take(DELIVERIES) {
                tr {
                    td { (stamp(delivery.at)) }
                    td { (delivery.resource) " " (delivery.resource_id) " " (delivery.change.name()) }
                    td { (format!("{:?}", delivery.state).to_lowercase()) }
                    td { (delivery.attempts.len()) }
                    td { @if let Some(last) = delivery.attempts.last() {
                        @if let Some(status) = last.status { (status) }
                        @if let Some(error) = &last.error { (error) }
                    } }
                }
            }
        } }
    }
}

fn place(world: &World, id: Option<crate::domain::ids::LocationId>) -> String {
    let place = id.and_then(|id| world.locations.get(&id));
    place.map(|place| place.path.join(" > ")).unwrap_or_default()
}
