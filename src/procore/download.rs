//! Fetching a photo's bytes: redirects by hand, the token only where it belongs, bounded in every way.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::header::LOCATION;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use url::Url;

use crate::domain::ids::{ProjectKey, Sha256Digest};
use crate::procore::client::Client;
use crate::procore::config::{Config, DownloadConfig, Endpoints};
use crate::procore::error::Error;
use crate::procore::guard::{self, AddressRefused, GuardedResolver, Policy, Trust};
use crate::procore::images::FileLink;
use crate::procore::route::Route;
use crate::procore::wire;

/// A photo as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    pub bytes: Bytes,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
}

/// A connection pool of its own, whose resolver lets only public addresses through.
#[derive(Debug)]
pub(crate) struct Downloader {
    client: reqwest::Client,
    policy: Policy,
    /// Whether a proxy resolves the names instead of [`GuardedResolver`].
    proxied: bool,
    config: DownloadConfig,
}

impl Downloader {
    pub(crate) fn new(config: &Config, endpoints: &Endpoints, route: &Route) -> Result<Self, Error> {
        let resolver =
            GuardedResolver { allow_loopback: config.allow_loopback, proxy_host: route.proxy_host() };
        let client = wire::builder(config, endpoints, route)?.dns_resolver(resolver).build();
        let client = client.map_err(|error| Error::Config {
            reason: format!("downloads cannot be set up: {}", error.without_url()),
        })?;
        let policy = Policy {
            allowed: config
                .download
                .allowed_host_suffixes
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            api: endpoints.api.origin(),
            allow_loopback: config.allow_loopback,
        };
        Ok(Self { client, policy, proxied: route.is_proxied(), config: config.download.clone() })
    }

    fn limit(&self) -> Duration {
        Duration::from_millis(self.config.total_ms)
    }

    /// Follows `link` to its bytes. `token` goes to Procore's hosts, and to nobody after the first other one.
    async fn fetch(&self, link: &str, token: &str) -> Result<Downloaded, Error> {
        let mut url = Url::parse(link).map_err(|_| refused("the photo's link is no URL".to_owned()))?;
        let mut trusted = true;
        let mut redirected = None;
        for _ in 0..=self.config.max_redirects {
            let trust = self.policy.check(&url).map_err(|reason| match redirected {
                None => refused(reason),
                Some(status) => astray(status, reason),
            })?;
            if self.proxied && !self.policy.allow_loopback {
                guard::check_name(&url).await.map_err(|error| refused(error.to_string()))?;
            }
            trusted &= trust == Trust::Bearer;
            let response = self.get(&url, trusted.then_some(token)).await?;
            let status = response.status().as_u16();
            match status {
                200 => return self.read(response, &url).await,
                301 | 302 | 303 | 307 | 308 => {
                    url = target(&url, &response)?;
                    redirected = Some(status);
                }
                408 | 425 | 429 | 500..=510 | 512..=599 => {
                    return Err(Error::from_status(status, None, format!("from {}", host(&url))));
                }
                400..=499 if !matches!(status, 407 | 451) => return Err(Error::LinkExpired { status }),
                _ => return Err(astray(status, format!("status {status} from {}", host(&url)))),
            }
        }
        let most = self.config.max_redirects;
        Err(astray(302, format!("the photo's link redirects more than {most} times")))
    }

    async fn get(&self, url: &Url, token: Option<&str>) -> Result<Response, Error> {
        let request = self.client.get(url.clone());
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let limit = Duration::from_millis(self.config.first_byte_ms);
        match timeout(limit, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failed(url, &error)),
            Err(_) => Err(late(host(url), limit)),
        }
    }

    async fn read(&self, mut response: Response, url: &Url) -> Result<Downloaded, Error> {
        let too_large = || Error::TooLarge {
            what: "the photo",
            limit: format!("{} bytes", self.config.max_bytes),
            key: "procore.download.max_bytes",
        };
        let declared = response.content_length().and_then(|length| usize::try_from(length).ok());
        if declared.is_some_and(|length| length > self.config.max_bytes) {
            return Err(too_large());
        }
        let (mut bytes, mut hasher) = (BytesMut::with_capacity(declared.unwrap_or_default()), Sha256::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
            if bytes.len() + chunk.len() > self.config.max_bytes {
                return Err(too_large());
            }
            hasher.update(&chunk);
            bytes.extend_from_slice(&chunk);
        }
        Ok(Downloaded { bytes: bytes.freeze(), sha256: Sha256Digest::from_bytes(hasher.finalize().into()) })
    }
}

fn refused(reason: String) -> Error {
    Error::Refused { reason }
}

/// Where Procore's link leads by another's word: the sign-in page of a network, or storage that the config lacks.
fn astray(status: u16, message: String) -> Error {
    Error::Intercepted { status, message }
}

fn late(host: &str, limit: Duration) -> Error {
    Error::Transport {
        host: host.to_owned(),
        sent: true,
        message: format!("no photo within {} ms", limit.as_millis()),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn target(from: &Url, response: &Response) -> Result<Url, Error> {
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    location
        .and_then(|location| from.join(location).ok())
        .ok_or_else(|| astray(response.status().as_u16(), format!("{} redirects to nowhere", host(from))))
}

/// A refusal by the resolver hides below the connector's error.
fn failed(url: &Url, error: &reqwest::Error) -> Error {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(address) = error.downcast_ref::<AddressRefused>() {
            return astray(0, address.to_string());
        }
        cause = error.source();
    }
    wire::transport(host(url), error)
}

impl Client {
    /// The bytes of a photo of `project` by its link, which only lives for a short while.
    ///
    /// # Errors
    /// [`Error::LinkExpired`] when a fresh link is needed: ask for the image again.
    pub async fn download(&self, project: ProjectKey, link: &FileLink) -> Result<Downloaded, Error> {
        self.permit(project)?;
        let token = self.token().await?;
        let downloader = self.downloader();
        let limit = downloader.limit();
        match timeout(limit, downloader.fetch(link.expose(), token.expose())).await {
            Ok(outcome) => outcome,
            Err(_) => Err(late("the photo's host", limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procore::stub::{PROJECT, Reply, Stub};

    async fn download(stub: &Stub, link: &str) -> Result<Downloaded, Error> {
        stub.client().download(PROJECT, &FileLink::new(link)).await
    }

    /// What an API with `link` for every photo gives.
    async fn behind(reply: Reply) -> Result<Downloaded, Error> {
        let stub = Stub::api(move |_| reply.clone()).await;
        download(&stub, &format!("{}/file?sig=1", stub.url)).await
    }

    #[tokio::test]
    async fn the_token_stays_on_procores_host() {
        let storage = Stub::bare(|seen| match seen.path.as_str() {
            "/back" => Reply::redirect(seen.query[0].1.as_str()),
            _ => Reply::ok("a photo"),
        })
        .await;
        let away = format!("{}/object?X-Amz-Signature=1", storage.url);
        let api = Stub::api(move |_| Reply::redirect(&away)).await;
        let photo = download(&api, &format!("{}/file?sig=1", api.url)).await.expect("fetched");
        assert_eq!((&photo.bytes[..], photo.sha256), (&b"a photo"[..], Sha256Digest::of(b"a photo")));
        assert_eq!(api.calls()[0].header("authorization"), Some("Bearer token-1"));
        assert_eq!(storage.calls()[0].header("authorization"), None);

        // Away and back again: once it has left, the token does not return.
        let back = Stub::api(move |seen| match seen.path.as_str() {
            "/file" => Reply::redirect(&seen.query[0].1),
            _ => Reply::ok("a photo"),
        })
        .await;
        let mut link = Url::parse(&format!("{}/file", back.url)).expect("valid");
        let mut detour = Url::parse(&format!("{}/back", storage.url)).expect("valid");
        detour.query_pairs_mut().append_pair("to", &format!("{}/home", back.url));
        link.query_pairs_mut().append_pair("to", detour.as_str());
        download(&back, link.as_str()).await.expect("fetched");
        let calls = back.calls();
        assert_eq!(
            (calls[0].header("authorization"), calls[1].path.as_str()),
            (Some("Bearer token-1"), "/home")
        );
        assert_eq!(calls[1].header("authorization"), None);
    }

    #[tokio::test]
    async fn redirects_never_lead_into_the_network() {
        for target in [
            "https://169.254.169.254/latest/meta-data",
            "http://169.254.169.254/latest/meta-data",
            "https://10.0.0.7/x",
            "https://[fd00:ec2::254]/x",
            "http://storage.procore.com/x",
            "https://files.example.com/x",
            "file:///etc/passwd",
        ] {
            let error = behind(Reply::redirect(target)).await.expect_err("refused");
            assert!(matches!(error, Error::Intercepted { .. }), "{target} {error:?}");
        }
        let circle = behind(Reply::redirect("/file?sig=1")).await.expect_err("endless");
        assert!(circle.to_string().contains("more than 5"), "{circle}");
        let nowhere = behind(Reply::json(302, "")).await.expect_err("nowhere");
        assert!(matches!(nowhere, Error::Intercepted { .. }), "{nowhere}");
    }

    #[tokio::test]
    async fn names_that_lead_home_are_refused_at_connect_time() {
        let stub = Stub::bare(|_| Reply::ok("private")).await;
        let mut config = stub.config();
        let endpoints = config.endpoints().expect("loopback");
        config.allow_loopback = false;
        config.download.allowed_host_suffixes = vec!["localhost".into()];
        let route = Route::new(&config, &endpoints, None).expect("usable");
        let downloader = Downloader::new(&config, &endpoints, &route).expect("set up");
        let port = endpoints.api.port().expect("a port");
        let error =
            downloader.fetch(&format!("https://localhost:{port}/x"), "token").await.expect_err("refused");
        assert!(
            matches!(&error, Error::Intercepted { message, .. } if message.contains("no public address")),
            "{error:?}"
        );
        assert!(stub.calls().is_empty());
    }

    #[tokio::test]
    async fn dead_links_ask_for_a_fresh_one() {
        for status in [400, 401, 403, 404, 409, 410] {
            assert_eq!(behind(Reply::json(status, "no")).await, Err(Error::LinkExpired { status }));
        }
        assert!(matches!(behind(Reply::json(503, "")).await, Err(Error::Unavailable { status: 503, .. })));
        for status in [204, 206, 407, 451, 511] {
            let error = behind(Reply::json(status, "")).await.expect_err("no photo");
            assert!(matches!(error, Error::Intercepted { .. }), "{status} {error:?}");
        }
    }

    #[tokio::test]
    async fn the_stream_is_cut_at_the_limit() {
        let raw = |text: &str| Reply::Raw(text.as_bytes().to_vec());
        for reply in [
            raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n"),
        ] {
            let stub = Stub::api(move |_| reply.clone()).await;
            let mut config = stub.config();
            config.download.max_bytes = 10;
            let client = Client::new(&config, None).expect("complete");
            let error = client.download(PROJECT, &FileLink::new(format!("{}/file", stub.url))).await;
            assert!(matches!(error, Err(Error::TooLarge { .. })), "{error:?}");
        }
    }

    #[tokio::test]
    async fn slow_and_broken_streams_end() {
        let drip = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a little".to_vec();
        for reply in [Reply::Raw(drip), Reply::Silence, Reply::HangUp] {
            let error = behind(reply).await.expect_err("no photo");
            assert!(matches!(error, Error::Transport { .. }), "{error:?}");
        }
    }
}
