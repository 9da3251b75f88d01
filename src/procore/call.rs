//! A request before it is sent.

use std::fmt::Display;

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::domain::ids::CompanyId;
use crate::procore::error::Error;

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// A path of the API, or a whole URL on the API's host (the next page of a list).
    target: String,
    query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) company: CompanyId,
    pub(crate) idempotency: Option<String>,
}

impl Call {
    pub(crate) fn new(method: Method, company: CompanyId, path: impl Into<String>) -> Self {
        Self { method, target: path.into(), query: Vec::new(), body: None, company, idempotency: None }
    }

    pub(crate) fn get(company: CompanyId, path: impl Into<String>) -> Self {
        Self::new(Method::GET, company, path)
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn idempotency(mut self, key: &str) -> Self {
        self.idempotency = Some(key.to_owned());
        self
    }

    /// The same call for the page that a `Link` header names.
    pub(crate) fn follow(&self, link: String) -> Self {
        Self { target: link, query: Vec::new(), ..self.clone() }
    }

    /// The URL below `api`; nothing else is ever called.
    pub(crate) fn url(&self, api: &Url) -> Result<Url, Error> {
        let refused = |why: &str| Error::Refused { reason: format!("'{}' {why}", self.target) };
        let mut url = if self.target.starts_with('/') {
            let (path, query) = self.target.split_once('?').unzip();
            let mut url = api.clone();
            url.set_path(&format!("{}{}", api.path().trim_end_matches('/'), path.unwrap_or(&self.target)));
            url.set_query(query);
            url
        } else {
            Url::parse(&self.target).map_err(|_| refused("is no URL"))?
        };
        if url.origin() != api.origin() {
            return Err(refused("leads away from the API's host"));
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stay_below_the_api() {
        let check = |api: &str, target: &str, expected: Option<&str>| {
            let api = Url::parse(api).expect("valid");
            let call = Call::get(CompanyId::new(8), "/rest").query("page", 2).follow(target.to_owned());
            assert_eq!(call.url(&api).ok().as_ref().map(Url::as_str), expected, "{target}");
        };
        let api = "https://api.procore.com";
        check(api, "/rest/v1.0/me", Some("https://api.procore.com/rest/v1.0/me"));
        check(api, "/rest/v1.0/me?page=3", Some("https://api.procore.com/rest/v1.0/me?page=3"));
        check(api, "https://api.procore.com/x?page=3", Some("https://api.procore.com/x?page=3"));
        check(
            "https://gate.example.com/procore/",
            "/rest/x",
            Some("https://gate.example.com/procore/rest/x"),
        );
        check(api, "https://api.procore.com.evil.example/x", None);
        check(api, "http://api.procore.com/x", None);
        check(api, "//evil.example/x", Some("https://api.procore.com//evil.example/x"));
        check(api, "x", None);
    }

    #[test]
    fn parameters_are_encoded() {
        let api = Url::parse("https://api.procore.com").expect("valid");
        let call = Call::get(CompanyId::new(8), "/x").query("filters[id][]", 7).query("q", "a b&c");
        let url = call.url(&api).expect("below");
        assert_eq!(url.query(), Some("filters%5Bid%5D%5B%5D=7&q=a+b%26c"));
    }
}
