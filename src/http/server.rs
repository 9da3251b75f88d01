//! Serves the router: bounded connections, bounded headers, slow clients cut off, a graceful end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use crate::http::config::HttpConfig;
use crate::http::guard::OverTls;
use crate::http::tls::Tls;

/// Wait after a failed accept: out of file descriptors, most likely, and some will be freed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stopping` is cancelled, then lets open requests end within the drain
/// time, and returns.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    config: &HttpConfig,
    stopping: CancellationToken,
) {
    let server = Server {
        router,
        handshake_timeout: config.header_timeout(),
        tls: tls.clone(),
        http: protocol(config),
        slots: Arc::new(Semaphore::new(config.max_connections)),
        addresses: Addresses { most: config.max_connections_per_address, open: Arc::default() },
        graceful: GracefulShutdown::new(),
    };
    let fresh = async {
        if let Some(tls) = &tls {
            tls.keep_fresh(Duration::from_secs(config.tls_reload_s), &stopping).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = server.accept_all(&listener) => {}
        () = fresh => {}
        () = stopping.cancelled() => {}
    }
    drop(listener);
    if tokio::time::timeout(config.drain_timeout(), server.graceful.shutdown()).await.is_err() {
        tracing::warn!("open requests were cut off: they took longer than the drain time");
    }
}

fn protocol(config: &HttpConfig) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout())
        .max_buf_size(config.header_max_bytes)
        .half_close(false);
    http
}

struct Server {
    router: Router,
    tls: Option<Tls>,
    handshake_timeout: Duration,
    http: http1::Builder,
    slots: Arc<Semaphore>,
    addresses: Addresses,
    graceful: GracefulShutdown,
}

impl Server {
    async fn accept_all(&self, listener: &TcpListener) {
        // A slot is taken before accepting: what finds none waits in the system's backlog.
        while let Ok(slot) = self.slots.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let Some(place) = self.addresses.enter(peer.ip()) else {
                        tracing::debug!(%peer, "one address has too many connections");
                        continue;
                    };
                    self.spawn(stream, peer, (slot, place));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr, held: (OwnedSemaphorePermit, Place)) {
        // Small answers to decisions must not wait for the next segment.
        let _kept_as_is = stream.set_nodelay(true);
        let (router, http, watcher) = (self.router.clone(), self.http.clone(), self.graceful.watcher());
        let (tls, patience, slot) = (self.tls.clone(), self.handshake_timeout, held.1.slot.clone());
        let evicted = slot.evicted.clone();
        let connection = async move {
            let Some(tls) = tls else {
                let service = answers(router, peer, None, slot);
                let connection = http.serve_connection(TokioIo::new(stream), service);
                return ended(watcher.watch(connection).await, peer);
            };
            match tokio::time::timeout(patience, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let service = answers(router, peer, Some(OverTls), slot);
                    let connection = http.serve_connection(TokioIo::new(stream), service);
                    ended(watcher.watch(connection).await, peer);
                }
                Ok(Err(error)) => tracing::debug!(%error, %peer, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = connection => {}
                () = evicted.cancelled() => tracing::debug!(%peer, "a connection without a request made room"),
            }
            drop(held);
        });
    }
}

fn answers(
    router: Router,
    peer: SocketAddr,
    tls: Option<OverTls>,
    slot: Arc<Slot>,
) -> impl Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future = axum::routing::future::RouteFuture<Infallible>,
> {
    service_fn(move |mut request: hyper::Request<Incoming>| {
        slot.asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        if let Some(tls) = tls {
            request.extensions_mut().insert(tls);
        }
        router.clone().call(request)
    })
}

fn ended(outcome: hyper::Result<()>, peer: SocketAddr) {
    if let Err(error) = outcome {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// Open connections by address. Many phones can share one address, and one of them can open connections and send nothing:
/// at the limit, the oldest connection that has sent no request makes room.
#[derive(Debug, Clone)]
struct Addresses {
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, Vec<Arc<Slot>>>>>,
}

/// One open connection.
#[derive(Debug, Default)]
struct Slot {
    /// Whether a whole request header has arrived.
    asked: AtomicBool,
    evicted: CancellationToken,
}

/// One counted connection; dropping it takes it off the count.
#[derive(Debug)]
struct Place {
    addresses: Addresses,
    address: IpAddr,
    slot: Arc<Slot>,
}

impl Addresses {
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = open.entry(address).or_default();
        if slots.len() >= self.most {
            let silent = slots.iter().position(|slot| !slot.asked.load(Ordering::Relaxed))?;
            slots.remove(silent).evicted.cancel();
        }
        let slot = Arc::<Slot>::default();
        slots.push(Arc::clone(&slot));
        Some(Place { addresses: self.clone(), address, slot })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slots) = open.get_mut(&self.address) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::http::config::tests::defaults;

    async fn started(config: HttpConfig) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("has an address");
        let router = Router::new().route("/", get(|| async { "hello" }));
        let stopping = CancellationToken::new();
        let token = stopping.clone();
        let server = tokio::spawn(async move { serve(listener, None, router, &config, token).await });
        (address, stopping, server)
    }

    /// What comes back until the server closes the connection.
    async fn answer(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        // The server may close before everything is written.
        let _closed = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn it_answers_and_ends() {
        let (address, stopping, server) = started(defaults().http).await;
        let request = b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n";
        assert!(answer(address, request).await.ends_with("hello"));
        stopping.cancel();
        server.await.expect("returns");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn a_header_beyond_the_limit_is_refused() {
        let (address, stopping, server) = started(defaults().http).await;
        let long = format!("GET / HTTP/1.1\r\nHost: box\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
        let answered = answer(address, long.as_bytes()).await;
        assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 431"), "{answered}");
        stopping.cancel();
        server.await.expect("returns");
    }

    #[tokio::test]
    async fn a_client_that_sends_half_a_header_is_cut_off() {
        let (address, stopping, server) =
            started(HttpConfig { header_timeout_ms: 20, ..defaults().http }).await;
        // Returning at all is the proof: the server closed first.
        assert_eq!(answer(address, b"GET / HTTP/1.1\r\nHos").await.matches("200 OK").count(), 0);
        stopping.cancel();
        server.await.expect("returns");
    }

    #[tokio::test]
    async fn with_certificate_files_it_speaks_https_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = crate::http::tls::tests::placed(folder.path(), "one");
        let tls = Tls::load(&config).expect("usable");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("has an address").port();
        let over_tls =
            |over: Option<axum::Extension<OverTls>>| async move { format!("https: {}", over.is_some()) };
        let router = Router::new().route("/", get(over_tls));
        let stopping = CancellationToken::new();
        let token = stopping.clone();
        let server = tokio::spawn(async move { serve(listener, tls, router, &config, token).await });

        let mut roots = rustls::RootCertStore::empty();
        let own = CertificateDer::from_pem_file(folder.path().join("box.crt")).expect("a certificate");
        roots.add(own).expect("an anchor");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
        let name = "localhost".try_into().expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let mut stream = connector.connect(name, stream).await.expect("the certificate fits");
        let request = b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.expect("writes");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.expect("reads");
        assert!(String::from_utf8_lossy(&said).ends_with("https: true"));
        let plain = answer(([127, 0, 0, 1], port).into(), b"GET / HTTP/1.1\r\nHost: box\r\n\r\n").await;
        assert!(!plain.contains("200 OK"), "{plain}");
        stopping.cancel();
        server.await.expect("returns");
    }

    #[tokio::test]
    async fn connections_that_send_nothing_keep_nobody_out() {
        let config = HttpConfig { max_connections_per_address: 8, ..defaults().http };
        let (address, stopping, server) = started(config).await;
        let mut silent = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(address).await.expect("connects");
            stream.write_all(b"GET / HTTP/1.1\r\nHos").await.expect("writes");
            silent.push(stream);
        }
        let request = b"GET / HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\r\n";
        for _ in 0..20 {
            assert!(answer(address, request).await.ends_with("hello"));
        }
        drop(silent);
        stopping.cancel();
        server.await.expect("returns");
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let addresses = Addresses { most: 2, open: Arc::default() };
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (first, second) = (addresses.enter(one).expect("free"), addresses.enter(one).expect("free"));
        for place in [&first, &second] {
            place.slot.asked.store(true, Ordering::Relaxed);
        }
        assert!(addresses.enter(one).is_none());
        assert!(addresses.enter(other).is_some());
        drop(first);
        assert!(addresses.enter(one).is_some());
        assert_eq!(addresses.open.lock().expect("no panic").len(), 1, "what is left is forgotten");
    }
}
