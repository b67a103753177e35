//! Types that are used before they are defined, or that a reference defines within its own.
//!
//! The canonical text prints a type in full where it is first used. So definitions may be nested there that are not nested in
//! the original text, and the result must not nest deeper than can be read again.

use std::collections::HashSet;

use super::{MAX_LEVELS, levels};
use crate::model::{Kind, Model, NodeId};
use postern_schema_core::CompileError;

/// Refuses a schema whose canonical text could not be read again.
pub(super) fn check(model: &Model) -> Result<(), CompileError> {
    if !fits(model, model.root, MAX_LEVELS, &mut HashSet::new()) {
        let expected = format!("at most {MAX_LEVELS} levels of nesting");
        return Err(CompileError::new(
            String::new(),
            expected,
            "more, with all types written out where they are first used",
        ));
    }
    Ok(())
}

/// Whether a type takes no more than `left` levels of the text. Types in `seen` are printed already, so only their names follow.
fn fits(model: &Model, id: NodeId, left: usize, seen: &mut HashSet<NodeId>) -> bool {
    let node = model.node(id);
    if node.kind.definition().is_some_and(|definition| definition.external || !seen.insert(id)) {
        return true;
    }
    let bare = matches!(node.kind, Kind::Primitive(_)) && node.properties.is_empty();
    let Some(left) = left.checked_sub(usize::from(!bare)) else { return false };
    let inner = match &node.kind {
        Kind::Primitive(_) | Kind::Fixed(_) => true,
        Kind::Enum(_) => left > 0,
        Kind::Array(inner) | Kind::Map(inner) => fits(model, *inner, left, seen),
        Kind::Union(branches) => branches.iter().all(|branch| fits(model, *branch, left, seen)),
        // The list of fields, and the field.
        Kind::Record(record) => left.checked_sub(2).is_some_and(|left| {
            record.fields.iter().all(|field| {
                let values = field.properties.values().chain(&field.default);
                values.map(levels).all(|levels| levels <= left) && fits(model, field.node, left, seen)
            })
        }),
    };
    inner && node.properties.values().all(|value| levels(value) <= left)
}
