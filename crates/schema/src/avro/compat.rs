use super::model::Model;
use crate::Incompatibility;
pub(crate) fn differences(_reader: &Model, _writer: &Model) -> Vec<Incompatibility> { Vec::new() }
