//! Who is put on a draft.

use crate::domain::ids::UserId;
use crate::domain::tagging::FiredRule;
use crate::domain::tagging::catalogue::Catalogue;
use crate::domain::tagging::rules::Ref;

/// The person for `part` (`manager` or `approver`), if the rules name one whom Procore offers.
pub(super) fn decide(
    wanted: &Ref,
    part: &str,
    catalogue: &Catalogue,
    fired: &mut Vec<FiredRule>,
) -> Option<UserId> {
    let found = if part == "manager" { catalogue.manager(wanted) } else { catalogue.approver(wanted) };
    let rule = format!("people.{part}");
    match found {
        Ok(None) => None,
        Ok(Some(found)) => {
            fired.push(FiredRule::new(rule, found.because));
            Some(UserId::new(found.id))
        }
        Err(reason) => {
            fired.push(FiredRule::new(rule, format!("The draft has no {part}, because {reason}.")));
            None
        }
    }
}
