//! Values for fields that a company requires of punch items: from the project's rules, matched to Procore's lists.

use super::optional::optional;
use super::{Context, Failure, reference};
use crate::domain::event::List;
use crate::domain::fields::{FieldDefinition, FieldValues, Known, resolve, takes_cost_codes, takes_fieldset};
use crate::domain::ids::ProjectKey;

/// What every item of `project` gets beside its own fields.
///
/// # Errors
/// When Procore must be asked and does not answer. A list that it refuses is empty.
pub(super) async fn of(context: &Context, project: ProjectKey) -> Result<FieldValues, Failure> {
    let configured = &context.rules(project)?.tagging.rules().fields;
    let mut known = Known::default();
    if takes_fieldset(configured) {
        let read = fieldset(context, project);
        known.fields = optional(context, project, List::Fields.name(), read).await?.unwrap_or_default();
    }
    if takes_cost_codes(configured) {
        let read = cost_codes(context, project);
        known.cost_codes =
            optional(context, project, List::CostCodes.name(), read).await?.unwrap_or_default();
    }
    let resolved = resolve(configured, &known);
    for gap in &resolved.gaps {
        tracing::warn!(%project, gap, "a configured field is not sent");
    }
    Ok(resolved.values)
}

async fn fieldset(context: &Context, project: ProjectKey) -> Result<Vec<FieldDefinition>, Failure> {
    let read = async { Ok(context.procore.punch_item_fields(project).await?) };
    reference::cached(context, project, List::Fields, read).await
}

async fn cost_codes(context: &Context, project: ProjectKey) -> Result<Vec<(i64, String, String)>, Failure> {
    let read = async { Ok(context.procore.cost_codes(project).await?) };
    reference::cached(context, project, List::CostCodes, read).await
}
