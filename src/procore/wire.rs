//! One HTTP exchange: bounded in time and bytes, with what its headers say about limits and pages.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::Url;

use crate::procore::config::{Config, Endpoints};
use crate::procore::error::Error;
use crate::procore::limiter::RateLimitHeaders;
use crate::procore::outside_host::is_foreign;
use crate::procore::problem;
use crate::procore::route::Route;

/// How this service introduces itself.
const USER_AGENT: &str = concat!("punchlens/", env!("CARGO_PKG_VERSION"));

/// Longest wait that a header is believed about; Procore's longest window is an hour.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A client without redirects, cookies or retries of its own, that takes `route`.
///
/// # Errors
/// When the proxy cannot be used.
pub(crate) fn builder(
    config: &Config,
    endpoints: &Endpoints,
    route: &Route,
) -> Result<reqwest::ClientBuilder, Error> {
    // A second install finds the first one's provider, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(config.connect())
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    let builder = route.apply(builder)?;
    // The simulator needs no certificates, and a bare box may have none.
    Ok(if endpoints.are_plain() { builder.tls_certs_only([]) } else { builder })
}

/// The connection pool and the bounds of every call.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    first_byte: Duration,
    total: Duration,
    max_bytes: usize,
}

impl Http {
    pub(crate) fn new(config: &Config, endpoints: &Endpoints, route: &Route) -> Result<Self, Error> {
        let client = builder(config, endpoints, route)?.build().map_err(|error| unusable(&error))?;
        Ok(Self {
            client,
            first_byte: Duration::from_millis(config.first_byte_ms),
            total: Duration::from_millis(config.total_ms),
            max_bytes: config.max_answer_bytes,
        })
    }

    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends once. What Procore answers is a reply, whatever its status; `secrets` never show in it.
    pub(crate) async fn send(&self, request: RequestBuilder, secrets: &[&str]) -> Result<Reply, Error> {
        let (client, request) = request.build_split();
        let request = request.map_err(|error| unusable(&error))?;
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let what = format!("{} {}", request.method(), request.url().path());
        let exchange = async {
            let response = timeout(self.first_byte, client.execute(request))
                .await
                .map_err(|_| late(&host, self.first_byte))?
                .map_err(|error| transport(&host, &error))?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = read_body(response, &host, self.max_bytes).await?;
            Ok::<_, Error>((status, headers, body))
        };
        let (status, headers, body) =
            timeout(self.total, exchange).await.map_err(|_| late(&host, self.total))??;
        Ok(Reply::new(status, &headers, body, &what, secrets))
    }
}

fn unusable(error: &reqwest::Error) -> Error {
    Error::Config {
        reason: format!(
            "HTTPS cannot be set up: {}; are the system's CA certificates installed?",
            chain(error)
        ),
    }
}

fn late(host: &str, limit: Duration) -> Error {
    Error::Transport {
        host: host.to_owned(),
        sent: true,
        message: format!("nothing within {} ms", limit.as_millis()),
    }
}

/// A failure on the way. Whether the request arrived is only known to be no when no connection was made.
pub(crate) fn transport(host: &str, error: &reqwest::Error) -> Error {
    Error::Transport {
        host: host.to_owned(),
        sent: !error.is_connect() && !error.is_dns(),
        message: chain(error),
    }
}

/// The causes of an error, without the URL, which may carry a signature.
fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = error.is_timeout().then(|| "timed out".to_owned()).into_iter().collect();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    if parts.is_empty() { "the exchange failed".to_owned() } else { parts.join(": ") }
}

async fn read_body(mut response: Response, host: &str, max_bytes: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(host, &error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(Error::TooLarge {
                what: "Procore's answer",
                limit: format!("{max_bytes} bytes"),
                key: "procore.max_answer_bytes",
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) told: RateLimitHeaders,
    foreign: bool,
    answer: Answer,
    problem: String,
}

impl Reply {
    fn new(status: u16, headers: &HeaderMap, body: Vec<u8>, what: &str, secrets: &[&str]) -> Self {
        let foreign = is_foreign(status, &body);
        let problem = if (200..300).contains(&status) && !foreign {
            String::new()
        } else {
            let id = header(headers, "x-request-id").map(|id| format!(", request id {id}"));
            let said = redirect(status, headers).unwrap_or_else(|| problem::message(&body));
            problem::scrub(format!("{said} ({what}{})", id.unwrap_or_default()), secrets)
        };
        let answer = Answer {
            next: next_page(headers),
            has_links: headers.contains_key("link"),
            total: header(headers, "total").and_then(|total| total.parse().ok()),
            per_page: header(headers, "per-page").and_then(|size| size.parse().ok()),
            date: header(headers, "date").and_then(date),
            body,
        };
        // What is not Procore knows nothing of its limits.
        let told = if foreign { RateLimitHeaders::default() } else { told(headers, Timestamp::now()) };
        Self { status, told, foreign, answer, problem }
    }

    /// The answer of a call that succeeded.
    pub(crate) fn success(self) -> Result<Answer, Failure> {
        if (200..300).contains(&self.status) && !self.foreign {
            return Ok(self.answer);
        }
        let (status, foreign) = (self.status, self.foreign);
        Err(Failure { status, foreign, wait: self.told.retry_after, message: self.problem })
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// Whether something else than Procore answered.
    pub(crate) foreign: bool,
    pub(crate) wait: Option<Duration>,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        if self.foreign {
            return Error::Intercepted { status: self.status, message: self.message };
        }
        Error::from_status(self.status, self.wait, self.message)
    }
}

/// A `Link` with `rel="next"`: there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextLink {
    /// The page that it names, if it names one.
    pub(crate) page: Option<usize>,
}

/// The body of a success, and where the list goes on.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The `Link` with `rel="next"`, if there is one.
    pub(crate) next: Option<NextLink>,
    /// Whether there was a `Link` header at all.
    pub(crate) has_links: bool,
    /// `Total`: rows of the whole list.
    pub(crate) total: Option<usize>,
    /// `Per-Page`: rows of a full page.
    pub(crate) per_page: Option<usize>,
    /// `Date`: Procore's clock when it answered.
    pub(crate) date: Option<Timestamp>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads the body as `what`. What is no JSON comes from something in front of Procore.
    pub(crate) fn read<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, Error> {
        let unreadable = |path: String, error: &serde_json::Error| match error.classify() {
            serde_json::error::Category::Data => Error::Unreadable { what, path, message: error.to_string() },
            _ => Error::Intercepted { status: 200, message: format!("{what} came as no JSON ({error})") },
        };
        let mut deserializer = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| unreadable(error.path().to_string(), error.inner()))?;
        deserializer.end().map_err(|error| unreadable(".".to_owned(), &error))?;
        Ok(value)
    }
}

/// Where a redirect leads, which the API never does by itself.
fn redirect(status: u16, headers: &HeaderMap) -> Option<String> {
    let to = header(headers, "location").filter(|_| (300..400).contains(&status))?;
    let host = Url::parse(to).ok().and_then(|url| url.host_str().map(str::to_owned));
    let to = host.unwrap_or_else(|| "another place".to_owned());
    Some(format!("a redirect to {to}; if no sign-in page is in the way, check procore.api_url"))
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    headers.get(HeaderName::from_static(name)).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

/// What the headers say about limits. `Date` is Procore's clock, so that ours may be wrong.
fn told(headers: &HeaderMap, now: Timestamp) -> RateLimitHeaders {
    let far_now = header(headers, "date").and_then(date).unwrap_or(now);
    let until = |then: Timestamp| {
        Duration::try_from(then.duration_since(far_now)).unwrap_or_default().min(LONGEST_WAIT)
    };
    let number = |name| header(headers, name).and_then(|text| text.parse().ok());
    RateLimitHeaders {
        limit: number("x-rate-limit-limit"),
        remaining: number("x-rate-limit-remaining"),
        reset_in: header(headers, "x-rate-limit-reset")
            .and_then(|text| text.parse().ok())
            .and_then(|second| Timestamp::from_second(second).ok())
            .map(until),
        retry_after: header(headers, "retry-after").and_then(|text| match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds).min(LONGEST_WAIT)),
            Err(_) => date(text).map(until),
        }),
    }
}

/// Whether a `Link` header (RFC 8288) has `rel="next"`, and the `page` that its target names, if it does. Nothing else
/// of the target is used: it may lack parts of the query, or lead to another host.
fn next_page(headers: &HeaderMap) -> Option<NextLink> {
    headers.get_all("link").iter().filter_map(|value| value.to_str().ok()).find_map(next_link)
}

fn next_link(header: &str) -> Option<NextLink> {
    // Targets may hold commas, so links are told apart by where the next one opens.
    header.split('<').skip(1).find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        parameters.split([';', ',']).any(is_next).then(|| NextLink { page: page_of(target) })
    })
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let rel =
        value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"));
    name.trim().eq_ignore_ascii_case("rel") && rel
}

fn page_of(target: &str) -> Option<usize> {
    let (_, query) = target.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let page = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "page")?;
    page.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().expect("a header value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn limits_are_read_by_procores_clock() {
        let now = Timestamp::from_second(1_780_000_000).expect("in range");
        let check = |pairs: &[(&'static str, &str)], reset: Option<u64>, retry: Option<u64>| {
            let told = told(&headers(pairs), now);
            assert_eq!(told.reset_in.map(|wait| wait.as_secs()), reset, "{pairs:?}");
            assert_eq!(told.retry_after.map(|wait| wait.as_secs()), retry, "{pairs:?}");
        };
        check(&[("x-rate-limit-reset", "1780000007"), ("retry-after", "3")], Some(7), Some(3));
        check(&[("x-rate-limit-reset", "1779999990")], Some(0), None);
        check(&[("x-rate-limit-reset", "9999999999")], Some(3600), None);
        check(&[("x-rate-limit-reset", "soon"), ("retry-after", "")], None, None);
        let skewed = "Thu, 28 May 2026 20:27:40 GMT";
        check(&[("date", skewed), ("x-rate-limit-reset", "1780000065")], Some(5), None);
        check(&[("date", skewed), ("retry-after", "Thu, 28 May 2026 20:27:49 GMT")], None, Some(9));
    }

    #[test]
    fn the_next_page_is_found_in_links() {
        let to = |page| Some(NextLink { page });
        let check = |header: &str, expected: Option<NextLink>| {
            assert_eq!(next_link(header), expected, "{header}");
        };
        check(r#"<https://a/x?page=1>; rel="first", <https://a/x?page=3>; rel="next""#, to(Some(3)));
        check(r#"<https://a/x?ids=1,2&page=3>; title="n"; rel="last next""#, to(Some(3)));
        check(r#"<https://a/x?page=1>; rel="first",<?per_page=9&page=4#x>; Rel = "Next""#, to(Some(4)));
        check("<https://a/x>; rel=next", to(None));
        check("<https://a/x?page=soon>; rel=next", to(None));
        check(r#"<https://a/x?page=1>; rel="prev""#, None);
        check(r#"<https://a/x?page=1>; rev="next""#, None);
        check("nonsense", None);
        check("", None);
    }
}
