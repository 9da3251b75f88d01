//! Values for fields that a company requires of punch items: from the project's rules, matched to Procore's lists.

use super::optional_lists::optional;
use super::{Context, Failure, lists};
use crate::domain::event::List;
use crate::domain::fields::{FieldNames, FieldValues, resolve, takes_cost_codes, takes_fieldset};
use crate::domain::ids::ProjectKey;

/// What every item of `project` gets beside its own fields.
///
/// # Errors
/// When Procore must be asked and does not answer. A list that it refuses is empty.
pub(super) async fn of(context: &Context, project: ProjectKey) -> Result<FieldValues, Failure> {
    let configured = &context.rules(project)?.tagging.rules().fields;
    let mut known = FieldNames::default();
    if takes_fieldset(configured) {
        let read = lists::read(context, project, List::Fields);
        known.fields = optional(context, project, List::Fields.name(), read).await?.unwrap_or_default();
    }
    if takes_cost_codes(configured) {
        let read = lists::read(context, project, List::CostCodes);
        known.cost_codes =
            optional(context, project, List::CostCodes.name(), read).await?.unwrap_or_default();
    }
    let resolved = resolve(configured, &known);
    for gap in &resolved.gaps {
        tracing::warn!(%project, gap, "a configured field is not sent");
    }
    Ok(resolved.values)
}
