//! The delivery engine: one queue a destination, and everything waits behind the first failure.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::clock::later;
use super::events::{Change, ChangeEvent, payload};
use super::hooks::Hook;
use super::state::{Shared, Sim, World};

/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// After this long without a success, everything queued is discarded.
const GIVE_UP_AFTER: Duration = Duration::from_hours(12);
/// How long, in real time, a held event waits to be overtaken.
const HELD_FOR: Duration = Duration::from_millis(200);
/// How much of an answer is kept with the attempt.
const KEPT_ANSWER_CHARS: usize = 1000;

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its turn.
    Enqueued,
    /// It failed and will be tried again.
    Retrying,
    /// Its hook is gone or switched off.
    Failed,
    /// The queue was flushed after twelve hours.
    Discarded,
    /// It was answered with 2xx.
    Delivered,
}

/// An event on its way to one destination.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// Its number, which is the event's id in the payload families v2 and v3.
    pub number: i64,
    pub hook: i64,
    pub resource: String,
    pub resource_id: i64,
    pub change: Change,
    pub at: Timestamp,
    /// The body, as sent.
    pub payload: Value,
    /// How far it has come.
    pub state: DeliveryState,
    pub attempts: Vec<Attempt>,
}

/// One POST of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub answer: Option<String>,
}

impl Delivery {
    /// The event in the shape of v2, which the delivery history uses for all families.
    pub(super) fn v2_event(&self) -> Value {
        if self.payload.get("ulid").is_some() {
            let mut event = self.payload.clone();
            event.as_object_mut().map(|fields| fields.remove("related_resources"));
            return event;
        }
        let number = |name: &str| self.payload[name].as_str().and_then(|text| text.parse::<i64>().ok());
        json!({
            "id": self.number,
            "ulid": self.payload["id"],
            "timestamp": self.payload["timestamp"],
            "metadata": { "source_user_id": null, "source_company_id": null, "source_project_id": null,
                "source_application_id": null, "source_operation_id": null },
            "user_id": number("user_id"),
            "company_id": number("company_id"),
            "project_id": number("project_id"),
            "api_version": "v4.0",
            "event_type": self.change.name(),
            "resource_name": self.resource,
            "resource_id": self.resource_id,
        })
    }
}

/// What waits for one destination.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<i64>,
    /// Deliveries that wait until one more has overtaken them.
    held: Vec<i64>,
    /// Whether a courier is on it.
    running: bool,
}

/// Queues `what` for `hook`, with whatever goes wrong with webhooks in this run.
pub(super) fn tell(world: &mut World, hook: i64, what: &ChangeEvent<'_>) {
    let faults = world.faults.webhooks.clone();
    if world.chance(faults.lose) {
        return;
    }
    let number = queue_event(world, hook, what);
    if world.chance(faults.twin) {
        queue_event(world, hook, what);
    }
    if world.chance(faults.duplicate)
        && let Some(queue) = queue_of(world, hook)
    {
        queue.waiting.extend(number);
    }
    if world.chance(faults.reorder)
        && let Some(queue) = queue_of(world, hook)
    {
        queue.waiting.retain(|waiting| Some(*waiting) != number);
        queue.held.extend(number);
        return;
    }
    if let Some(queue) = queue_of(world, hook) {
        let held = std::mem::take(&mut queue.held);
        queue.waiting.extend(held);
    }
}

fn queue_of(world: &mut World, hook: i64) -> Option<&mut Queue> {
    let destination = world.hooks.get(&hook)?.destination_url.clone();
    Some(world.queues.entry(destination).or_default())
}

fn queue_event(world: &mut World, hook: i64, what: &ChangeEvent<'_>) -> Option<i64> {
    let Hook { family, version, .. } = world.hooks.get(&hook)?.clone();
    let (number, payload) = payload(world, what, family, &version);
    let delivery = Delivery {
        number,
        hook,
        resource: what.resource.to_owned(),
        resource_id: what.id,
        change: what.change,
        at: what.at,
        payload,
        state: DeliveryState::Enqueued,
        attempts: Vec::new(),
    };
    world.deliveries.insert(number, delivery);
    queue_of(world, hook)?.waiting.push_back(number);
    Some(number)
}

/// Sends couriers to every destination that has none and has something waiting.
pub(super) async fn dispatch(sim: Sim) {
    let mut changed = sim.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let idle: Vec<String> = {
            let mut world = sim.world();
            let idle =
                world.queues.iter_mut().filter(|(_, queue)| !queue.running && !queue.waiting.is_empty());
            idle.map(|(destination, queue)| {
                queue.running = true;
                destination.clone()
            })
            .collect()
        };
        for destination in idle {
            let stopping = sim.stopping.clone();
            sim.tasks.spawn(stopping.run_until_cancelled_owned(courier(sim.clone(), destination)));
        }
        let held = sim.world().queues.values().any(|queue| !queue.held.is_empty());
        let nothing_overtakes =
            async { if held { tokio::time::sleep(HELD_FOR).await } else { pending().await } };
        tokio::select! {
            woken = changed.changed() => if woken.is_err() { return },
            () = nothing_overtakes => sim.release(),
        }
    }
}

/// Works through one destination's queue until it is empty.
async fn courier(sim: Sim, destination: String) {
    let mut wait = FIRST_WAIT;
    let mut failing_since: Option<Timestamp> = None;
    while let Some(number) = sim.first_in_line(&destination) {
        if sim.attempt(number).await {
            sim.step(&destination);
            (wait, failing_since) = (FIRST_WAIT, None);
            continue;
        }
        let give_up = later(*failing_since.get_or_insert(sim.now()), GIVE_UP_AFTER);
        sim.clock.reaches(later(sim.now(), wait).min(give_up)).await;
        wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        if sim.now() >= give_up {
            sim.discard(&destination);
            (wait, failing_since) = (FIRST_WAIT, None);
        }
    }
}

impl Shared {
    /// The delivery whose turn it is; with none, the courier is let go.
    fn first_in_line(&self, destination: &str) -> Option<i64> {
        let mut world = self.world();
        let queue = world.queues.get_mut(destination)?;
        let first = queue.waiting.front().copied();
        queue.running = first.is_some();
        first
    }

    fn step(&self, destination: &str) {
        self.change(|world| world.queues.get_mut(destination).map(|queue| queue.waiting.pop_front()));
    }

    fn discard(&self, destination: &str) {
        self.change(|world| {
            let Some(queue) = world.queues.get_mut(destination) else { return };
            for number in queue.waiting.drain(..) {
                if let Some(delivery) = world.deliveries.get_mut(&number) {
                    delivery.state = DeliveryState::Discarded;
                }
            }
        });
    }

    /// Posts a delivery once; whether its turn is over.
    async fn attempt(&self, number: i64) -> bool {
        let found = {
            let world = self.world();
            let delivery = world.deliveries.get(&number);
            delivery.and_then(|delivery| {
                let hook = world.hooks.get(&delivery.hook).filter(|hook| hook.enabled)?;
                Some((hook.clone(), delivery.payload.clone()))
            })
        };
        let Some((hook, payload)) = found else {
            self.change(|world| {
                if let Some(delivery) = world.deliveries.get_mut(&number) {
                    delivery.state = DeliveryState::Failed;
                }
            });
            return true;
        };
        let attempt = self.post(&hook, &payload).await;
        let done = attempt.status.is_some_and(|status| (200..300).contains(&status));
        self.change(|world| {
            if let Some(delivery) = world.deliveries.get_mut(&number) {
                delivery.attempts.push(attempt);
                delivery.state = if done { DeliveryState::Delivered } else { DeliveryState::Retrying };
            }
        });
        done
    }

    async fn post(&self, hook: &Hook, payload: &Value) -> Attempt {
        let mut request = self.client.post(&hook.destination_url).json(payload);
        if let Some(authorization) = &hook.authorization {
            request = request.header("authorization", authorization);
        }
        let at = self.now();
        let answered = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.text().await?))
        };
        match answered.await {
            Ok((status, text)) => {
                let answer = text.chars().take(KEPT_ANSWER_CHARS).collect();
                Attempt { at, status: Some(status), error: None, answer: Some(answer) }
            }
            Err(error) => {
                let error = error.without_url().to_string();
                Attempt { at, status: None, error: Some(error), answer: None }
            }
        }
    }

    /// Whether nothing waits for any destination.
    pub(super) fn quiet(&self) -> bool {
        self.world().queues.values().all(|queue| queue.waiting.is_empty() && queue.held.is_empty())
    }

    /// Lets go what was held back to be overtaken.
    pub(super) fn release(&self) {
        self.change(|world| {
            for queue in world.queues.values_mut() {
                let held = std::mem::take(&mut queue.held);
                queue.waiting.extend(held);
            }
        });
    }
}
