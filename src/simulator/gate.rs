//! What every request passes: the record, the faults, the limits and the door.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Multipart, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::call::{Call, File, Refusal};
use super::contract;
use super::faults::{ErrorBody, FaultKind, LateAnswer};
use super::form::nest;
use super::late;
use super::limits::Meter;
use super::record::{Host, RecordedRequest, redact, without_secret};
use super::state::{Shared, Sim};
use super::wire::Line;
use crate::domain::ids::CompanyId;

/// How many violations of the contract are kept to be looked at.
const VIOLATIONS_KEPT: usize = 50;

/// The gate of one host.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) sim: Sim,
    pub(super) host: Host,
}

/// Lets a request in, or not.
pub(super) async fn pass(
    State(gate): State<Gate>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    // The pages and switches for people are no part of Procore.
    if gate.host == Host::Procore && (parts.uri.path() == "/" || parts.uri.path().starts_with("/simulator")) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let Ok(raw) = to_bytes(body, gate.sim.options.body_limit_bytes).await else {
        return Refusal::text(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large").into_response();
    };
    let mut call = read(&mut parts, raw).await;
    let fault =
        gate.sim.change(|world| world.faults.draw(parts.method.as_str(), parts.uri.path(), &mut world.rng));
    let mut entry = gate.entry(&parts, &call);
    let answer = match &fault {
        Some(FaultKind::CommitLate { after_ms, heard, backdated }) => {
            late::carry_out(&gate, parts, call, next, Duration::from_millis(*after_ms), *backdated);
            match heard {
                LateAnswer::GatewayTimeout => error(504, None, ErrorBody::Html),
                LateAnswer::Silence | LateAnswer::Reset => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        }
        fault => gate.answer(&mut parts, &mut call, next, fault.as_ref()).await,
    };
    let (answer, body) = whole(answer).await;
    entry.status = answer.status.as_u16();
    if body.len() <= gate.sim.options.keep_answer_bytes {
        entry.answer = serde_json::from_slice(&body).ok().map(|mut value| {
            redact(&mut value);
            value
        });
    }
    entry.fault = fault.as_ref().map(|fault| format!("{fault:?}"));
    if fault.as_ref().is_some_and(FaultKind::is_unanswered) {
        entry.status = 0;
    }
    let number = entry.number;
    let violations = contract::check(&entry);
    for violation in &violations {
        tracing::warn!(violation, "against Procore's contract");
    }
    gate.sim.change(|world| {
        let most = gate.sim.options.keep_requests;
        let room = VIOLATIONS_KEPT.saturating_sub(world.violations.len());
        world.violations.extend(violations.into_iter().take(room));
        world.requests.push_back(entry);
        while world.requests.len() > most {
            world.requests.pop_front();
        }
    });
    if fault.as_ref().is_some_and(FaultKind::is_silent) {
        gate.sim.stopping.cancelled().await;
    }
    spoil(answer, body, fault, &line, number).await
}

impl Gate {
    fn entry(&self, parts: &Parts, call: &Call) -> RecordedRequest {
        let number = self.sim.change(|world| {
            world.next.request += 1;
            world.next.request
        });
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), without_secret(name.as_str(), &value))
        });
        let mut body = call.body.clone();
        redact(&mut body);
        RecordedRequest {
            number,
            host: self.host,
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: call.query.clone(),
            headers: headers.collect(),
            body,
            body_bytes: call.raw.len(),
            status: 0,
            answer: None,
            fault: None,
        }
    }

    pub(super) async fn answer(
        &self,
        parts: &mut Parts,
        call: &mut Call,
        next: Next,
        fault: Option<&FaultKind>,
    ) -> Response {
        match fault {
            Some(FaultKind::Status { status, retry_after_s, body }) => {
                return error(*status, *retry_after_s, *body);
            }
            Some(FaultKind::ResetBefore) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Some(FaultKind::RevokeToken) => self.sim.revoke(call.authorization.as_deref()),
            _ => {}
        }
        let meter = match self.host {
            Host::Procore if call.path.starts_with("/rest/") => Some(self.count(&parts.headers)),
            _ => None,
        };
        let mut response = match meter.filter(|meter| meter.exceeded) {
            Some(meter) => self.too_many(meter),
            None => match self
                .door(&parts.headers, call)
                .and_then(|()| self.sim.conditions_allow(parts.method.as_str(), call))
            {
                Ok(()) => self.handled(parts, call, next).await,
                Err(refusal) => refusal.into_response(),
            },
        };
        if let Some(FaultKind::StatusAfter { status }) = fault {
            response = error(*status, None, ErrorBody::Html);
        }
        let date = self.sim.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
        if let Some(meter) = meter {
            limit_headers(response.headers_mut(), meter);
        }
        response
    }

    async fn handled(&self, parts: &Parts, call: &Call, next: Next) -> Response {
        let mut request = Request::from_parts(parts.clone(), Body::empty());
        request.extensions_mut().insert(Arc::new(call.clone()));
        next.run(request).await
    }

    fn count(&self, headers: &HeaderMap) -> Meter {
        let company = headers.get("procore-company-id").and_then(|value| value.to_str().ok()).unwrap_or("");
        let now = self.sim.now();
        self.sim.change(|world| world.meters.count(company, &self.sim.options.limits, now))
    }

    fn too_many(&self, meter: Meter) -> Response {
        let words =
            "You have surpassed the max number of requests for an hour. Please wait until your limit resets.";
        let refusal = Refusal::text(StatusCode::TOO_MANY_REQUESTS, words);
        if !self.sim.options.limits.retry_after {
            return refusal.into_response();
        }
        let wait = meter.reset.duration_since(self.sim.now()).as_secs().max(1);
        refusal.with("retry-after", &wait.to_string()).into_response()
    }

    /// Who it is, and whether the company is named. Files need the bearer only, the login nothing.
    fn door(&self, headers: &HeaderMap, call: &mut Call) -> Result<(), Refusal> {
        let api = call.path.starts_with("/rest/");
        if self.host == Host::Storage || !(api || call.path.starts_with("/api/")) {
            return Ok(());
        }
        let user = self.sim.bearer(call.authorization.as_deref()).ok_or_else(Refusal::unauthorized)?;
        call.user = Some(user);
        if !api {
            return Ok(());
        }
        let company = headers.get("procore-company-id").and_then(|value| value.to_str().ok());
        let Some(company) = company else {
            if call.asks_who_a_person_is() {
                return Ok(());
            }
            let words = "Missing Procore-Company-Id header! Procore-Company-Id is required on every request.";
            return Err(Refusal::bad_request(words));
        };
        let company = company.parse().ok().map(CompanyId::new);
        let theirs = self.sim.world().companies_of(call.user()?);
        if company.is_none_or(|company| !theirs.contains(&company)) {
            return Err(Refusal::forbidden("App is not connected to this company"));
        }
        Ok(())
    }
}

fn limit_headers(headers: &mut HeaderMap, meter: Meter) {
    headers.insert("x-rate-limit-limit", meter.limit.into());
    headers.insert("x-rate-limit-remaining", meter.remaining.into());
    headers.insert("x-rate-limit-reset", meter.reset.as_second().into());
}

fn error(status: u16, retry_after_s: Option<u64>, body: ErrorBody) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let mut response = match body {
        ErrorBody::Json => Refusal::new(status, json!({ "errors": reason })).into_response(),
        ErrorBody::Text => Refusal::text(status, reason).into_response(),
        ErrorBody::Empty => status.into_response(),
        ErrorBody::Html => {
            let page =
                format!("<html><head><title>{reason}</title></head><body><h1>{reason}</h1></body></html>");
            let mut response = Refusal::text(status, &page).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
    };
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn whole(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    // Every body comes from memory, so reading it back cannot fail.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    (parts, body)
}

/// Sends the answer the way the fault wants it.
async fn spoil(
    mut parts: axum::http::response::Parts,
    body: Bytes,
    fault: Option<FaultKind>,
    line: &Line,
    number: u64,
) -> Response {
    if let Ok(id) = HeaderValue::from_str(&format!("sim-{number:08}")) {
        parts.headers.insert("x-request-id", id);
    }
    let length = HeaderValue::from(body.len());
    let body = match fault {
        Some(fault) if fault.is_unanswered() => {
            line.cut();
            Body::empty()
        }
        Some(FaultKind::TruncatedBody) => {
            parts.headers.insert(header::CONTENT_LENGTH, length);
            half(body)
        }
        Some(FaultKind::SlowDrip { piece_bytes, pause_ms }) => {
            parts.headers.insert(header::CONTENT_LENGTH, length);
            drip(body, piece_bytes.max(1), Duration::from_millis(pause_ms))
        }
        Some(FaultKind::Stall { pause_ms }) => {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            Body::from(body)
        }
        _ => Body::from(body),
    };
    Response::from_parts(parts, body)
}

fn half(body: Bytes) -> Body {
    let pieces = stream::unfold(Some(body), |left| async move {
        let Some(body) = left else {
            // Head and first half must be on the wire before the connection breaks.
            tokio::task::yield_now().await;
            return Some((Err(std::io::Error::other("cut by the simulator")), None));
        };
        Some((Ok(body.slice(..body.len() / 2)), None))
    });
    Body::from_stream(pieces)
}

fn drip(body: Bytes, piece: usize, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let bytes = left.split_to(piece.min(left.len()));
        Some((Ok::<_, Infallible>(bytes), left))
    }))
}

async fn read(parts: &mut Parts, raw: Bytes) -> Call {
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let parameters = RawPathParams::from_request_parts(parts, &()).await.map_or_else(
        |_| Vec::new(),
        |found| found.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    );
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let authorization = text(header::AUTHORIZATION).map(str::to_owned);
    let (body, files) = body(&kind, parts, &raw).await;
    Call { path: parts.uri.path().to_owned(), parameters, query, body, files, raw, user: None, authorization }
}

async fn body(kind: &str, parts: &Parts, raw: &Bytes) -> (Value, Vec<File>) {
    if kind.starts_with("application/x-www-form-urlencoded") {
        let mut body = json!({});
        for (name, value) in url::form_urlencoded::parse(raw) {
            nest(&mut body, &name, value.into_owned());
        }
        return (body, Vec::new());
    }
    if kind.starts_with("multipart/form-data") {
        return multipart(parts, raw).await.unwrap_or_default();
    }
    (serde_json::from_slice(raw).unwrap_or_default(), Vec::new())
}

async fn multipart(parts: &Parts, raw: &Bytes) -> Option<(Value, Vec<File>)> {
    let request = Request::from_parts(parts.clone(), Body::from(raw.clone()));
    let mut form = Multipart::from_request(request, &()).await.ok()?;
    let mut body = json!({});
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(str::to_owned) {
            Some(file) => files.push(File { field: name, name: file, bytes: field.bytes().await.ok()? }),
            None => nest(&mut body, &name, field.text().await.ok()?),
        }
    }
    Some((body, files))
}

impl Shared {
    /// Whether `project` may be worked in by whoever calls.
    pub(super) fn open(&self, project: crate::domain::ids::ProjectId) -> Result<(), Refusal> {
        match self.world().project(project) {
            None => Err(Refusal::not_found()),
            Some(found) if !found.permitted => {
                Err(Refusal::forbidden("You do not have permission to access this project"))
            }
            Some(_) => Ok(()),
        }
    }
}
