//! What may be asked and must be answered, written down from the API's description.

use super::record::Recorded;

/// A stub.
pub fn check_request(_: &Recorded) -> Vec<String> {
    Vec::new()
}
/// A stub.
pub fn check_answer(_: &Recorded) -> Vec<String> {
    Vec::new()
}
