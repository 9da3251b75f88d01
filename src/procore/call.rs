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
    /// A path of the API.
    path: String,
    query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) company: CompanyId,
    /// Whether the call names its company, as all do but those that ask who somebody is.
    pub(crate) names_company: bool,
    pub(crate) idempotency: Option<String>,
}

impl Call {
    pub(crate) fn new(method: Method, company: CompanyId, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            company,
            names_company: true,
            idempotency: None,
        }
    }

    pub(crate) fn get(company: CompanyId, path: impl Into<String>) -> Self {
        Self::new(Method::GET, company, path)
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// The same call without a company; it counts among that company's calls all the same.
    pub(crate) fn without_company(mut self) -> Self {
        self.names_company = false;
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

    /// The URL below `api`; nothing else is ever called.
    pub(crate) fn url(&self, api: &Url) -> Result<Url, Error> {
        if !self.path.starts_with('/') {
            return Err(Error::Refused { reason: format!("'{}' is no path of the API", self.path) });
        }
        let mut url = api.clone();
        url.set_path(&format!("{}{}", api.path().trim_end_matches('/'), self.path));
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
    fn paths_stay_below_the_api() {
        let check = |api: &str, path: &str, expected: Option<&str>| {
            let api = Url::parse(api).expect("valid");
            let url = Call::get(CompanyId::new(8), path).url(&api).ok();
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{path}");
        };
        let api = "https://api.procore.com";
        check(api, "/rest/v1.0/me", Some("https://api.procore.com/rest/v1.0/me"));
        check(
            "https://gate.example.com/procore/",
            "/rest/x",
            Some("https://gate.example.com/procore/rest/x"),
        );
        check(api, "//evil.example/x", Some("https://api.procore.com//evil.example/x"));
        check(api, "https://api.procore.com.evil.example/x", None);
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
