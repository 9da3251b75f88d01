//! TLS from certificate files, which are read again when they change: renewals need no restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::http::config::HttpConfig;

/// Certificate or key files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {path}: {problem}; see http.tls_certificate_file and http.tls_key_file")]
pub struct TlsError {
    path: PathBuf,
    problem: String,
}

/// TLS with the certificate that lies in the files now.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    files: Arc<Files>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    provider: CryptoProvider,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    /// Nothing until the files can be used: then no handshake succeeds.
    key: Option<Arc<CertifiedKey>>,
    stamps: [Option<SystemTime>; 2],
}

impl Tls {
    /// Reads the files that the config names; `None` when it names none. Files that cannot be used yet are read again
    /// now and then: photos are looked at meanwhile.
    ///
    /// # Errors
    /// When only one of the two is named, or they cannot be used and are not read again.
    pub fn load(config: &HttpConfig) -> Result<Option<Self>, TlsError> {
        let (certificate, key) = (&config.tls_certificate_file, &config.tls_key_file);
        match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
            (true, true) => return Ok(None),
            (false, false) => {}
            _ => {
                return Err(problem(certificate, "certificate and key go together: name both files or none"));
            }
        }
        let provider = rustls::crypto::ring::default_provider();
        let stamps = stamps(certificate, key);
        let current = match read(certificate, key, &provider) {
            Ok(key) => Current { key: Some(Arc::new(key)), stamps },
            Err(error) if config.tls_reload_s > 0 => {
                tracing::error!(%error, "no page and no delivery is served until the certificate can be used");
                Current { key: None, stamps: [None; 2] }
            }
            Err(error) => return Err(error),
        };
        let current = RwLock::new(current);
        let (certificate, key) = (certificate.clone(), key.clone());
        let files = Arc::new(Files { certificate, key, provider: provider.clone(), current });
        let server = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| problem(&files.certificate, error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&files) as Arc<dyn ResolvesServerCert>);
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(server)), files }))
    }

    /// Shakes hands on a new connection.
    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Looks after the files every `every` until `stopping`.
    pub(crate) async fn keep_fresh(&self, every: Duration, stopping: &CancellationToken) {
        while !every.is_zero() {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
            match self.files.reload_if_changed() {
                Ok(false) => {}
                Ok(true) => tracing::info!("the TLS certificate was read again"),
                Err(error) => {
                    tracing::error!(%error, "the certificate cannot be used; the one before is, if there was one");
                }
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.files.certificate).finish_non_exhaustive()
    }
}

impl Files {
    /// Whether the files had changed and are used from now on.
    fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let stamps = stamps(&self.certificate, &self.key);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).stamps == stamps {
            return Ok(false);
        }
        // Whoever renews writes one file after the other: what doesn't fit yet is tried again next time.
        let key = Arc::new(read(&self.certificate, &self.key, &self.provider)?);
        let current = Current { key: Some(key), stamps };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        Ok(true)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone()
    }
}

fn problem(path: &Path, what: impl fmt::Display) -> TlsError {
    TlsError { path: path.to_owned(), problem: what.to_string() }
}

fn stamps(certificate: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(certificate, error))?;
    if chain.is_empty() {
        return Err(problem(certificate, "holds no certificate in PEM"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| problem(key, error))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| problem(certificate, error))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::http::config::tests::defaults;

    /// A folder with one of the two certificates of the fixtures in it, and the config that names it.
    pub(crate) fn placed(folder: &Path, name: &str) -> HttpConfig {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls");
        let (certificate, key) = (folder.join("box.crt"), folder.join("box.key"));
        std::fs::copy(fixtures.join(format!("{name}.crt")), &certificate).expect("copies");
        std::fs::copy(fixtures.join(format!("{name}.key")), &key).expect("copies");
        HttpConfig { tls_certificate_file: certificate, tls_key_file: key, ..defaults().http }
    }

    #[test]
    fn a_renewed_certificate_is_used_once_it_fits() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = placed(folder.path(), "one");
        let tls = Tls::load(&config).expect("usable").expect("wanted");
        let shown =
            || tls.files.current.read().expect("no panic").key.clone().expect("there").cert[0].clone();
        let before = shown();
        assert!(!tls.files.reload_if_changed().expect("nothing to do"));
        placed(folder.path(), "two");
        let later = SystemTime::now() + Duration::from_secs(5);
        for file in ["box.crt", "box.key"] {
            let file = std::fs::File::options().write(true).open(folder.path().join(file)).expect("opens");
            file.set_modified(later).expect("touches");
        }
        assert!(tls.files.reload_if_changed().expect("usable"));
        assert_ne!(shown(), before);
        std::fs::write(folder.path().join("box.crt"), "half a certif").expect("writes");
        assert!(tls.files.reload_if_changed().is_err());
        assert_ne!(shown(), before, "what worked goes on working");
    }

    #[test]
    fn a_certificate_that_comes_late_is_used_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = placed(folder.path(), "one");
        std::fs::remove_file(&config.tls_certificate_file).expect("removes");
        let tls = Tls::load(&config).expect("it may come").expect("wanted");
        assert!(tls.files.reload_if_changed().is_err());
        assert!(tls.files.current.read().expect("no panic").key.is_none());
        placed(folder.path(), "one");
        assert!(tls.files.reload_if_changed().expect("usable"));
        assert!(tls.files.current.read().expect("no panic").key.is_some());
    }

    #[test]
    fn files_that_do_not_go_together_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = placed(folder.path(), "one");
        let told = |config: &HttpConfig| Tls::load(config).expect_err("unusable").to_string();
        let config = HttpConfig { tls_reload_s: 0, ..config };
        let lone = HttpConfig { tls_key_file: PathBuf::new(), ..config.clone() };
        assert!(told(&lone).contains("both files or none"));
        let missing = HttpConfig { tls_key_file: folder.path().join("nothing.key"), ..config.clone() };
        assert!(told(&missing).contains("nothing.key"));
        let swapped = HttpConfig { tls_certificate_file: config.tls_key_file.clone(), ..config };
        assert!(told(&swapped).contains("holds no certificate"));
        assert!(Tls::load(&defaults().http).expect("fine").is_none());
    }
}
