//! Which addresses and hosts may be contacted for a photo, so that a link cannot lead into the box's network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Origin, Url};

use crate::procore::config::is_loopback;

/// Hosts that ask for our token on file links; it is never sent anywhere else.
const BEARER_SUFFIXES: [&str; 2] = [".procore.com", ".procoregov.com"];

/// What a link may lead to.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Names, or with a leading dot everything below them.
    pub(crate) allowed: Vec<String>,
    /// The API's own origin, which a custom environment trusts with the token.
    pub(crate) api: Origin,
    /// Development: http and loopback.
    pub(crate) allow_loopback: bool,
}

/// A host that may be contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Procore's own: it gets the token.
    Bearer,
    /// Storage: it must not see the token.
    Plain,
}

impl Policy {
    /// Whether `url` may be fetched, and whether with the token. The reason is for a person.
    pub(crate) fn check(&self, url: &Url) -> Result<Trust, String> {
        let host = url.host().ok_or("the link has no host")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("the link to {host} carries a user name"));
        }
        let own = url.origin() == self.api;
        if self.allow_loopback && is_loopback(url) && matches!(url.scheme(), "http" | "https") {
            return Ok(if own { Trust::Bearer } else { Trust::Plain });
        }
        if url.scheme() != "https" {
            return Err(format!("the link to {host} is not https"));
        }
        let Host::Domain(name) = host else {
            return Err(format!("the link names the address {host} instead of a host"));
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if own || BEARER_SUFFIXES.iter().any(|suffix| below(&name, suffix)) {
            return Ok(Trust::Bearer);
        }
        if self.allowed.iter().any(|allowed| below(&name, allowed)) {
            return Ok(Trust::Plain);
        }
        Err(format!("the link leads to {name}, which is not in procore.download.allowed_host_suffixes"))
    }
}

fn below(name: &str, suffix: &str) -> bool {
    name == suffix || suffix.starts_with('.') && name.ends_with(suffix)
}

/// An address that a name led to and that must not be contacted.
#[derive(Debug)]
pub(crate) struct AddressRefused {
    name: String,
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name {} leads to no public address", self.name)
    }
}

impl std::error::Error for AddressRefused {}

/// Resolves names at connect time and lets only public addresses through, so that an answer that
/// changes between check and use gains nothing.
#[derive(Debug, Clone)]
pub(crate) struct GuardedResolver {
    pub(crate) allow_loopback: bool,
    /// The forward proxy, which stands in the site's own network.
    pub(crate) proxy_host: Option<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_loopback = self.allow_loopback;
        let is_proxy = self.proxy_host.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let resolved = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed =
                |at: &SocketAddr| is_proxy || is_public(at.ip()) || allow_loopback && at.ip().is_loopback();
            let kept: Vec<SocketAddr> = resolved.filter(allowed).collect();
            if kept.is_empty() {
                return Err(AddressRefused { name: name.as_str().to_owned() }.into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Refuses a name that leads to an internal address as far as this box can tell. For links that a proxy resolves: where
/// only the proxy knows names, the list of allowed hosts is all the guard there is.
pub(crate) async fn check_name(url: &Url) -> Result<(), AddressRefused> {
    let Some(name) = url.domain() else { return Ok(()) };
    let Ok(mut addresses) = tokio::net::lookup_host((name, 0)).await else { return Ok(()) };
    if addresses.all(|at| is_public(at.ip())) {
        return Ok(());
    }
    Err(AddressRefused { name: name.to_owned() })
}

/// Whether an address belongs to the public internet (IANA special-purpose registries).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a, b & 0xc0) == (100, 64)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a, b & 0xfe) == (198, 18);
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052): as public as the address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        // 6to4, Teredo and other protocol assignments, documentation.
        [0x2002 | 0x3fff, ..] | [0x2001, 0x0db8, ..] => false,
        [0x2001, second, ..] => second >= 0x0200,
        // Global unicast is all of 2000::/3; mapped, local, multicast and the rest lie outside.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let check = |text: &str, expected| {
            assert_eq!(is_public(text.parse().expect("an address")), expected, "{text}");
        };
        for public in [
            "52.216.0.1",
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2600:1f18::1",
            "2a05:d018::1",
            "2001:4860::8888",
            "64:ff9b::34d8:1",
        ] {
            check(public, true);
        }
        for hidden in [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "192.0.0.8",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:1.1.1.1",
            "::127.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
        ] {
            check(hidden, false);
        }
    }

    #[test]
    fn links_are_checked_before_they_are_followed() {
        let policy = |allow_loopback| Policy {
            allowed: vec![".amazonaws.com".into(), ".procore.com".into(), "files.example.com".into()],
            api: Url::parse("http://127.0.0.1:4000").expect("valid").origin(),
            allow_loopback,
        };
        let check = |link: &str, allow_loopback, expected: Option<Trust>| {
            let url = Url::parse(link).expect("valid");
            assert_eq!(policy(allow_loopback).check(&url).ok(), expected, "{link}");
        };
        let (bearer, plain) = (Some(Trust::Bearer), Some(Trust::Plain));
        check("https://storage.procore.com/api/v5/files/x?sig=1", false, bearer);
        check("https://STORAGE.Procore.com./x", false, bearer);
        check("https://app.procoregov.com/x", false, bearer);
        check("https://s3.amazonaws.com/pro-core.com/x", false, plain);
        check("https://files.example.com/x", false, plain);
        check("https://more.files.example.com/x", false, None);
        check("https://evilprocore.com/x", false, None);
        check("https://procore.com.evil.example/x", false, None);
        check("https://storage.procore.com@evil.example/x", false, None);
        check("https://user@storage.procore.com/x", false, None);
        check("http://storage.procore.com/x", false, None);
        check("ftp://storage.procore.com/x", false, None);
        check("file:///etc/passwd", false, None);
        for literal in
            ["https://169.254.169.254/latest", "https://[::1]/x", "https://8.8.8.8/x", "https://0x7f.1/x"]
        {
            check(literal, false, None);
            check(literal.replace("https", "http").as_str(), false, None);
        }
        check("http://169.254.169.254/latest", true, None);
        check("http://127.0.0.1:4000/file", true, bearer);
        check("http://127.0.0.1:4001/file", true, plain);
        check("http://localhost:4000/file", true, plain);
        check("http://127.0.0.1:4000/file", false, None);
    }
}
