//! Answers that are not Procore's: what a filter, a proxy or the sign-in page of a network says in its place.

/// Procore answers in JSON, but for refusals of its edge, which pass anyway (408, 425, 429, 5xx), and for empty bodies
/// after deletions. RFC 9110 leaves 407 to proxies, RFC 6585 leaves 511 to networks, RFC 7725 leaves 451 to filters, and
/// the API never redirects.
pub(crate) fn is_foreign(status: u16, body: &[u8]) -> bool {
    match status {
        407 | 451 | 511 | 300..=399 => true,
        408 | 425 | 429 | 500..=599 => false,
        // A token that is refused without a word is worth a fresh one.
        200..=299 | 401 => !body.is_empty() && !may_be_json(body),
        _ => !is_json(body),
    }
}

/// Whether `body` begins as JSON. Who reads it will see the rest.
fn may_be_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first().is_some_and(|byte| b"{[\"-0123456789tfn".contains(byte))
}

/// Whether `body` is what an API says: a JSON object, list or text.
fn is_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first().is_some_and(|byte| b"{[\"".contains(byte))
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ImageId, PunchItemId};
    use crate::procore::error::Error;
    use crate::procore::stub::{PROJECT, Reply, Stub};

    #[test]
    fn pages_of_the_network_are_told_from_procores_refusals() {
        const PAGE: &[u8] = b"<!DOCTYPE html><html><title>Blocked</title></html>";
        for status in [200, 201, 204, 302, 400, 401, 403, 404, 407, 410, 422, 451, 511] {
            assert!(is_foreign(status, PAGE), "{status}");
        }
        for status in [400, 403, 404, 409, 422] {
            for body in [&b""[..], b"Not Found", b"{\"errors\": ", b"{} <html>"] {
                assert!(is_foreign(status, body), "{status} {body:?}");
            }
            for body in [&b"{}"[..], b" {\"errors\": \"no\"}", b"[]", b"\"no\""] {
                assert!(!is_foreign(status, body), "{status} {body:?}");
            }
        }
        for status in [408, 429, 500, 502, 503] {
            assert!(!is_foreign(status, PAGE), "{status} passes anyway");
        }
        assert!(!is_foreign(200, b"") && !is_foreign(204, b"") && !is_foreign(401, b""));
        assert!(is_foreign(302, b"{}") && is_foreign(511, b"{}"));
    }

    #[tokio::test]
    async fn a_page_instead_of_a_token_or_a_deletion_is_no_answer() {
        for status in [200, 302, 401, 403, 404] {
            let stub = Stub::bare(move |_| Reply::json(status, "<html>Sign in</html>")).await;
            let error = stub.client().image(PROJECT, ImageId::new(5)).await.expect_err("no token");
            assert!(matches!(error, Error::Intercepted { .. }), "{status} {error:?}");
        }
        let stub = Stub::api(|_| Reply::ok("<html>Sign in</html>")).await;
        let deleted = stub.client().delete_punch_item(PROJECT, PunchItemId::new(1)).await;
        assert!(matches!(&deleted, Err(error) if error.outcome_in_doubt()), "{deleted:?}");
    }
}
