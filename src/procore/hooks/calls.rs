//! Reading and writing hooks and their triggers.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    Hook, HookApi, HookScope, HookSpec, HookSync, OLD_PAYLOAD_VERSION, PAYLOAD_VERSION, PHOTOS, Trigger,
    WireHook, WireResource, WireTrigger, collection, not_offered, scoped, scoped_body, split_wanted, v2,
};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::paging::Data;

impl Client {
    /// Brings the scope's hook to what is wanted, adding and never removing. Running it again
    /// changes nothing.
    ///
    /// # Errors
    /// When Procore refuses the hook, or a project's trigger for new photos.
    pub async fn sync_hook(
        &self,
        scope: impl Into<HookScope>,
        wanted: HookSpec<'_>,
    ) -> Result<HookSync, Error> {
        let scope = scope.into();
        let existing = self.hooks(scope, wanted.namespace).await?;
        let (mut ours, strays): (Vec<Hook>, Vec<Hook>) =
            existing.into_iter().partition(|hook| hook.destination_url == wanted.destination_url);
        ours.sort_by_key(|hook| hook.api == HookApi::V1);
        let mut ours = ours.into_iter();
        let (hook, created) = match ours.next() {
            Some(hook) => (hook, false),
            None => (self.create_hook(scope, wanted).await?, true),
        };
        let rotated = !created && !hook.carries(wanted.authorization);
        let hook = if rotated { self.rotate_hook(scope, &hook, wanted.authorization).await? } else { hook };
        let (added, unavailable) = self.add_triggers(scope, &hook).await?;
        let strays = ours.chain(strays).collect();
        Ok(HookSync { hook, created, rotated, added, unavailable, strays })
    }

    /// The scope's hooks in `namespace`, of both APIs.
    ///
    /// # Errors
    /// When neither API answers.
    pub async fn hooks(&self, scope: impl Into<HookScope>, namespace: &str) -> Result<Vec<Hook>, Error> {
        let scope = scope.into();
        self.permit_scope(scope)?;
        let listing = |api| {
            scoped(Call::get(scope.company(), collection(api, scope)), api, scope)
                .query("namespace", namespace)
        };
        let new = match self.list_v2::<WireHook>("hooks", listing(HookApi::V2)).await {
            Ok(hooks) => Some(hooks),
            Err(error) if not_offered(&error) => None,
            Err(error) => return Err(error),
        };
        let old = match self.one::<Vec<WireHook>>("hooks", &listing(HookApi::V1)).await {
            Ok(hooks) => hooks,
            Err(error) if new.is_some() && not_offered(&error) => Vec::new(),
            Err(error) => return Err(error),
        };
        let new = new.into_iter().flatten().map(|hook| hook.hook(HookApi::V2));
        let mut hooks: Vec<Hook> = new.filter(|hook| hook.namespace == namespace).collect();
        let old = old.into_iter().map(|hook| hook.hook(HookApi::V1));
        let unseen: Vec<Hook> = old
            .filter(|hook| hook.namespace == namespace && hooks.iter().all(|seen| seen.id != hook.id))
            .collect();
        hooks.extend(unseen);
        Ok(hooks)
    }

    async fn create_hook(&self, scope: HookScope, wanted: HookSpec<'_>) -> Result<Hook, Error> {
        let headers = json!({ "Authorization": wanted.authorization.expose_secret() });
        let new = json!({
            "payload_version": PAYLOAD_VERSION,
            "namespace": wanted.namespace,
            "destination_url": wanted.destination_url,
            "destination_headers": headers,
        });
        let call = |api, body| Call::new(Method::POST, scope.company(), collection(api, scope)).body(body);
        match self.one::<Data<WireHook>>("the new hook", &call(HookApi::V2, new)).await {
            Ok(envelope) => return Ok(envelope.data.hook(HookApi::V2)),
            Err(error) if not_offered(&error) => {
                tracing::info!(%scope, %error, "no v2.0 hooks here, trying v1.0");
            }
            Err(error) => return Err(error),
        }
        let fields = json!({
            "hook": {
                "api_version": OLD_PAYLOAD_VERSION,
                "namespace": wanted.namespace,
                "destination_url": wanted.destination_url,
                "destination_headers": headers,
            },
        });
        let old = scoped_body(scope, fields);
        let hook: WireHook = self.one("the new hook", &call(HookApi::V1, old)).await?;
        Ok(hook.hook(HookApi::V1))
    }

    /// Gives the hook another authorization value. The receiver must accept both meanwhile.
    ///
    /// # Errors
    /// When Procore refuses it.
    pub async fn rotate_hook(
        &self,
        scope: HookScope,
        hook: &Hook,
        authorization: &SecretString,
    ) -> Result<Hook, Error> {
        self.permit_scope(scope)?;
        let change = json!({ "destination_headers": { "Authorization": authorization.expose_secret() } });
        let call = Call::new(Method::PATCH, scope.company(), hook.path(scope));
        let hook = match hook.api {
            HookApi::V2 => self.one::<Data<WireHook>>("the hook", &call.body(change)).await?.data,
            HookApi::V1 => {
                let body = scoped_body(scope, json!({ "hook": change }));
                self.one("the hook", &call.body(body)).await?
            }
        }
        .hook(hook.api);
        Ok(hook)
    }

    /// Removes the hook with its triggers.
    ///
    /// # Errors
    /// When Procore refuses it.
    pub async fn remove_hook(&self, scope: HookScope, hook: &Hook) -> Result<(), Error> {
        self.permit_scope(scope)?;
        let call = Call::new(Method::DELETE, scope.company(), hook.path(scope));
        self.send(&scoped(call, hook.api, scope)).await.map(drop)
    }

    /// What the hook tells of.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn triggers(&self, scope: HookScope, hook: &Hook) -> Result<Vec<Trigger>, Error> {
        self.permit_scope(scope)?;
        let call = Call::get(scope.company(), format!("{}/triggers", hook.path(scope)));
        let call = scoped(call, hook.api, scope);
        let rows: Vec<WireTrigger> = match hook.api {
            HookApi::V2 => self.list_v2("triggers", call).await?,
            HookApi::V1 => self.one("triggers", &call).await?,
        };
        let trigger = |row: WireTrigger| Trigger {
            resource: row.resource_name,
            event: row.event_type.to_ascii_lowercase(),
        };
        Ok(rows.into_iter().map(trigger).collect())
    }

    /// Adds what is wanted and missing; returns it, and what Procore does not offer.
    async fn add_triggers(
        &self,
        scope: HookScope,
        hook: &Hook,
    ) -> Result<(Vec<Trigger>, Vec<Trigger>), Error> {
        let offered = self.offered(scope, hook.api).await?;
        let (wanted, mut unavailable) = split_wanted(scope, offered.as_deref());
        let present = self.triggers(scope, hook).await?;
        let mut added = Vec::new();
        for trigger in wanted.into_iter().filter(|trigger| !present.contains(trigger)) {
            match self.add_trigger(scope, hook, &trigger).await {
                Ok(()) => added.push(trigger),
                Err(error) if trigger.resource != PHOTOS && not_offered(&error) => unavailable.push(trigger),
                Err(error) => return Err(error),
            }
        }
        Ok((added, unavailable))
    }

    /// What v2.0 offers here. v1.0 lists it in fields that its reference does not explain,
    /// so there it is tried out instead.
    async fn offered(&self, scope: HookScope, api: HookApi) -> Result<Option<Vec<WireResource>>, Error> {
        if api == HookApi::V1 {
            return Ok(None);
        }
        let call = Call::get(scope.company(), format!("{}/resources", v2(scope)))
            .query("payload_version", PAYLOAD_VERSION);
        match self.list_v2("webhook resources", call).await {
            Ok(resources) => Ok(Some(resources)),
            Err(error) if not_offered(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn add_trigger(&self, scope: HookScope, hook: &Hook, trigger: &Trigger) -> Result<(), Error> {
        let named = json!({ "resource_name": trigger.resource, "event_type": trigger.event });
        let body = match hook.api {
            HookApi::V2 => named,
            HookApi::V1 => {
                scoped_body(scope, json!({ "api_version": OLD_PAYLOAD_VERSION, "trigger": named }))
            }
        };
        let path = format!("{}/triggers", hook.path(scope));
        self.send(&Call::new(Method::POST, scope.company(), path).body(body)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procore::stub::{PROJECT, Reply, Seen, Stub};

    const URL: &str = "https://site-7.example.com/procore/events";
    const V2: &str = "/rest/v2.0/companies/8/projects/6778/webhooks";

    const HOOKS: &str = include_str!("../../../fixtures/procore/hooks/v2_hooks.json");
    const CREATED: &str = include_str!("../../../fixtures/procore/hooks/v2_created.json");
    const OLD_CREATED: &str = include_str!("../../../fixtures/procore/hooks/v1_created.json");
    const TRIGGERS: &str = include_str!("../../../fixtures/procore/hooks/v2_triggers.json");
    const RESOURCES: &str = include_str!("../../../fixtures/procore/hooks/v2_resources.json");

    async fn sync(stub: &Stub, authorization: &str) -> Result<HookSync, Error> {
        let authorization = authorization.into();
        let wanted = HookSpec { namespace: "punchlens", destination_url: URL, authorization: &authorization };
        stub.client().sync_hook(PROJECT, wanted).await
    }

    /// REST v2.0 with the hooks that `list` tells.
    fn v2_api(list: &'static str) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
        move |seen: &Seen| match (seen.method.as_str(), seen.path.strip_prefix(V2)) {
            ("GET", Some("/hooks")) => Reply::ok(list),
            ("GET", Some("/resources")) => Reply::ok(RESOURCES),
            ("GET", Some("/hooks/3301/triggers")) => Reply::ok(TRIGGERS),
            ("GET", Some(_)) => Reply::ok(r#"{"data": []}"#),
            ("POST", Some("/hooks")) => Reply::json(201, CREATED),
            ("POST", Some(_)) => Reply::json(201, r#"{"data": {}}"#),
            ("PATCH", Some("/hooks/3301")) => Reply::ok(CREATED),
            ("DELETE", Some("/hooks/3301")) => Reply::json(204, ""),
            _ => Reply::ok("[]"),
        }
    }

    fn writes(stub: &Stub) -> Vec<Seen> {
        stub.calls().into_iter().filter(|seen| seen.method != "GET").collect()
    }

    #[tokio::test]
    async fn a_missing_hook_is_made_with_what_is_offered() {
        let stub = Stub::api(v2_api(r#"{"data": []}"#)).await;
        let synced = sync(&stub, "Bearer 1234Qx7Lm").await.expect("synced");
        assert!(synced.created && !synced.rotated && synced.strays.is_empty());
        assert_eq!((synced.hook.id.as_str(), synced.hook.api), ("3302", HookApi::V2));
        assert_eq!((synced.added.len(), synced.unavailable.len()), (6, 5), "{synced:?}");
        let writes = writes(&stub);
        assert_eq!(
            writes[0].body,
            json!({ "payload_version": "v4.0", "namespace": "punchlens", "destination_url": URL,
                    "destination_headers": { "Authorization": "Bearer 1234Qx7Lm" } })
        );
        assert_eq!(writes[1].path, format!("{V2}/hooks/3302/triggers"));
        assert_eq!(writes[1].body, json!({ "resource_name": "Images", "event_type": "create" }));
    }

    #[tokio::test]
    async fn a_hook_that_is_there_only_gets_what_it_lacks() {
        let stub = Stub::api(v2_api(HOOKS)).await;
        let synced = sync(&stub, "Bearer 1234Qx7Lm").await.expect("synced");
        assert!(!synced.created && !synced.rotated);
        assert_eq!(synced.hook.id, "3301");
        assert_eq!(synced.strays.iter().map(|hook| hook.id.as_str()).collect::<Vec<_>>(), ["3300"]);
        assert_eq!(synced.added.len(), 4, "two of six were there: {:?}", synced.added);
        assert!(writes(&stub).iter().all(|seen| seen.path.ends_with("/triggers")));
    }

    #[tokio::test]
    async fn a_changed_value_is_carried_over() {
        let stub = Stub::api(v2_api(HOOKS)).await;
        let synced = sync(&stub, "Bearer 5678NEW99").await.expect("synced");
        assert!(synced.rotated);
        let patch = &writes(&stub)[0];
        assert_eq!(patch.call(), format!("PATCH {V2}/hooks/3301"));
        assert_eq!(patch.body, json!({ "destination_headers": { "Authorization": "Bearer 5678NEW99" } }));
        stub.client()
            .remove_hook(PROJECT.into(), &Hook { id: "3301".into(), ..synced.hook })
            .await
            .expect("removed");
    }

    #[tokio::test]
    async fn without_the_new_api_the_old_one_serves() {
        let stub = Stub::api(|seen| match (seen.method.as_str(), seen.path.as_str()) {
            (_, path) if path.starts_with("/rest/v2.0") => Reply::json(404, "{}"),
            ("POST", "/rest/v1.0/webhooks/hooks") => Reply::json(201, OLD_CREATED),
            ("POST", _) if seen.body["trigger"]["resource_name"] == "Locations" => Reply::json(422, "{}"),
            ("POST", _) => Reply::json(201, "{}"),
            _ => Reply::ok("[]"),
        })
        .await;
        let synced = sync(&stub, "Bearer 1234Qx7Lm").await.expect("synced");
        assert_eq!((synced.hook.id.as_str(), synced.hook.api), ("981", HookApi::V1));
        assert_eq!((synced.added.len(), synced.unavailable.len()), (5, 6));
        let writes: Vec<Seen> =
            writes(&stub).into_iter().filter(|seen| seen.path.starts_with("/rest/v1.0")).collect();
        assert_eq!(
            writes[0].body,
            json!({ "project_id": 6778, "hook": { "api_version": "v2", "namespace": "punchlens",
                    "destination_url": URL,
                    "destination_headers": { "Authorization": "Bearer 1234Qx7Lm" } } })
        );
        assert_eq!(writes[1].path, "/rest/v1.0/webhooks/hooks/981/triggers");
        assert_eq!(
            writes[1].body,
            json!({ "project_id": 6778, "api_version": "v2",
                    "trigger": { "resource_name": "Images", "event_type": "create" } })
        );
    }

    #[tokio::test]
    async fn a_hook_that_hears_of_no_photos_is_an_error() {
        let stub = Stub::api(|seen| {
            let new_trigger = seen.path.ends_with("/triggers") && seen.method == "POST";
            if new_trigger { Reply::json(422, "{}") } else { v2_api(HOOKS)(seen) }
        })
        .await;
        // The two photo triggers that are there leave one, for deletions, to be refused.
        assert!(matches!(sync(&stub, "Bearer 1234Qx7Lm").await, Err(Error::Rejected { status: 422, .. })));
    }
}
