//! A file together with the files it imports and those it was given as references.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::model::File;

/// A file and what it refers to. Shared by all files that import it.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) file: File,
    /// The imports that were found, in the order of the file, public ones last.
    pub(super) imports: Vec<Import>,
    /// Paths of imports for which there is no file. This is an error only when a type cannot be resolved.
    pub(super) missing: Vec<String>,
    /// The files given as references, by name, whether the file imports them or not.
    pub(super) references: Vec<(String, Arc<Unit>)>,
    /// The one among `imports` that the file stands for: it declares nothing, and imports only this one publicly.
    pub(super) stands_for: Option<usize>,
}

/// An import that was found.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: String,
    pub(super) public: bool,
    pub(super) unit: Arc<Unit>,
}

impl Unit {
    /// An import is looked for among `references`, then among the references of these, and last in `bundled`.
    pub(super) fn new(
        file: File,
        references: Vec<(String, Arc<Unit>)>,
        bundled: impl Fn(&str) -> Option<&'static Arc<Unit>>,
    ) -> Unit {
        let (mut imports, mut missing) = (Vec::new(), Vec::new());
        let by_name = by_name(&references);
        let paths = file.imports.iter().map(|path| (path, false));
        for (path, public) in paths.chain(file.public_imports.iter().map(|path| (path, true))) {
            match by_name.get(path.as_str()).copied().or_else(|| bundled(path)) {
                Some(unit) => imports.push(Import { path: path.clone(), public, unit: Arc::clone(unit) }),
                None => missing.push(path.clone()),
            }
        }
        let declares_nothing = file.top.messages.is_empty() && file.top.enums.is_empty();
        let stands_for = imports.iter().position(|import| import.public);
        let stands_for = stands_for.filter(|_| declares_nothing && file.public_imports.len() == 1);
        Unit { file, imports, missing, references, stands_for }
    }
}

/// All references, direct ones first.
fn by_name(references: &[(String, Arc<Unit>)]) -> HashMap<&str, &Arc<Unit>> {
    let mut by_name = HashMap::new();
    let mut seen = HashSet::new();
    let mut pending = VecDeque::from([references]);
    while let Some(references) = pending.pop_front() {
        for (name, unit) in references {
            by_name.entry(name.as_str()).or_insert(unit);
            if seen.insert(Arc::as_ptr(unit)) {
                pending.push_back(&unit.references);
            }
        }
    }
    by_name
}

impl Drop for Unit {
    /// Iterative: chains of imports and references may be longer than the stack is deep.
    fn drop(&mut self) {
        let mut pending = vec![self.take_units()];
        while let Some(units) = pending.pop() {
            pending.extend(units.into_iter().filter_map(Arc::into_inner).map(|mut unit| unit.take_units()));
        }
    }
}

impl Unit {
    fn take_units(&mut self) -> Vec<Arc<Unit>> {
        let imports = std::mem::take(&mut self.imports).into_iter().map(|import| import.unit);
        imports.chain(std::mem::take(&mut self.references).into_iter().map(|(_, unit)| unit)).collect()
    }
}
