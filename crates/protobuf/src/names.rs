//! The types that a file can name: its own, those of the files it imports, directly or not, and, as Confluent has it,
//! those of the files that are only given as references and of the bundled ones.
//!
//! A name is looked up from the innermost scope outwards, as the language says. Whether an import is public is not
//! considered: Confluent finds types behind any of them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::bundled;
use super::model::{Enum, Field, FieldType, File, Message, Scalar};
use super::unit::Unit;

/// Where a type is declared: the file by its position among [`Types::files`], the type by that in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Named {
    Message(MessageId),
    Enum(EnumId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MessageId {
    pub(super) file: usize,
    pub(super) index: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct EnumId {
    pub(super) file: usize,
    pub(super) index: usize,
}

/// All types within reach of one file. The file itself is the first of `files`.
#[derive(Debug)]
pub(super) struct Types {
    files: Vec<Arc<Unit>>,
    by_name: HashMap<String, Named>,
}

/// The files within reach of one file, itself first. What is imported comes first, whatever it is called by files that are not.
pub(super) fn reachable(root: &Arc<Unit>) -> Vec<&Arc<Unit>> {
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    let mut imported = vec![root];
    let mut referenced = VecDeque::new();
    loop {
        while let Some(unit) = imported.pop() {
            if seen.insert(Arc::as_ptr(unit)) {
                imported.extend(unit.imports.iter().rev().map(|import| &import.unit));
                referenced.extend(unit.references.iter().map(|(_, unit)| unit));
                files.push(unit);
            }
        }
        match referenced.pop_front() {
            Some(unit) => imported.push(unit),
            None => return files,
        }
    }
}

/// Positions from here on are those of bundled files that nothing imports: every schema can name their types, and none
/// has to hold a list of them.
const BUNDLED: usize = usize::MAX / 2;

impl Types {
    pub(super) fn new(root: &Arc<Unit>) -> Types {
        let mut types = Types { files: Vec::new(), by_name: HashMap::new() };
        reachable(root).into_iter().for_each(|unit| types.add(Arc::clone(unit)));
        types
    }

    fn add(&mut self, unit: Arc<Unit>) {
        let file = self.files.len();
        let messages = unit.file.messages.iter().enumerate();
        let messages = messages.map(|(index, message)| (&message.full_name, Named::Message(MessageId { file, index })));
        let enums = unit.file.enums.iter().enumerate();
        let enums = enums.map(|(index, kind)| (&kind.full_name, Named::Enum(EnumId { file, index })));
        for (name, named) in messages.chain(enums) {
            self.by_name.entry(name.clone()).or_insert(named);
        }
        self.files.push(unit);
    }

    pub(super) fn message(&self, id: MessageId) -> &Message {
        &self.file(id.file).messages[id.index]
    }

    pub(super) fn enumeration(&self, id: EnumId) -> &Enum {
        &self.file(id.file).enums[id.index]
    }

    pub(super) fn file(&self, position: usize) -> &File {
        &self.unit(position).file
    }

    pub(super) fn unit(&self, position: usize) -> &Arc<Unit> {
        match position.checked_sub(BUNDLED) {
            Some(position) => bundled::unit_at(position),
            None => &self.files[position],
        }
    }

    /// The position of a file that another one imports.
    pub(super) fn position(&self, unit: &Arc<Unit>) -> Option<usize> {
        self.files.iter().position(|known| Arc::ptr_eq(known, unit))
    }

    /// The files within reach, bundled ones included.
    pub(super) fn all_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().map(|unit| &unit.file).chain(bundled::units().map(|unit| &unit.file))
    }

    pub(super) fn full_name(&self, named: Named) -> &str {
        match named {
            Named::Message(id) => &self.message(id).full_name,
            Named::Enum(id) => &self.enumeration(id).full_name,
        }
    }

    /// The type that `written` names inside of `scope`, the full name of a message or a package; empty for neither.
    pub(super) fn resolve(&self, scope: &str, written: &str) -> Option<Named> {
        resolve(scope, written, |full_name| self.declared(full_name))
    }

    fn declared(&self, full_name: &str) -> Option<Named> {
        self.by_name.get(full_name).copied().or_else(|| {
            let (file, is_message, index) = bundled::declared(full_name)?;
            let file = BUNDLED + file;
            Some(if is_message {
                Named::Message(MessageId { file, index })
            } else {
                Named::Enum(EnumId { file, index })
            })
        })
    }

    /// As [`Types::resolve`], for what may also be a scalar.
    pub(super) fn kind(&self, scope: &str, written: &str) -> Kind {
        match Scalar::named(written) {
            Some(scalar) => Kind::Scalar(scalar),
            None => match self.resolve(scope, written) {
                Some(Named::Message(id)) => Kind::Message(id),
                Some(Named::Enum(id)) => Kind::Enum(id),
                None => Kind::Unknown,
            },
        }
    }

    /// The type of a field in `scope`. A message for the entries of a map makes its field a map.
    pub(super) fn shape<'f>(&'f self, scope: &str, field: &'f Field) -> Shape<'f> {
        match &field.kind {
            FieldType::Map(key, value) => Shape::Map([self.written(scope, key), self.written(scope, value)]),
            FieldType::Named(name) => {
                let written = self.written(scope, name);
                match written.kind {
                    Kind::Message(id) => self.entry(self.message(id)).map_or(Shape::Single(written), Shape::Map),
                    Kind::Scalar(_) | Kind::Enum(_) | Kind::Unknown => Shape::Single(written),
                }
            }
        }
    }

    fn entry<'f>(&'f self, message: &'f Message) -> Option<[TypeName<'f>; 2]> {
        let part = |number: i32| {
            message.fields.iter().find(|field| field.number == number).and_then(|field| match &field.kind {
                FieldType::Named(name) => Some(self.written(&message.full_name, name)),
                FieldType::Map(..) => None,
            })
        };
        if message.is_map_entry { Some([part(1)?, part(2)?]) } else { None }
    }

    fn written<'f>(&self, scope: &str, text: &'f str) -> TypeName<'f> {
        TypeName { text, kind: self.kind(scope, text) }
    }
}

/// The type of a field, looked up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape<'f> {
    Single(TypeName<'f>),
    /// Key and value.
    Map([TypeName<'f>; 2]),
}

/// A name as it was written, and what it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeName<'f> {
    pub(super) text: &'f str,
    pub(super) kind: Kind,
}

/// What a written type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar(Scalar),
    Enum(EnumId),
    Message(MessageId),
    Unknown,
}

/// Looks `written` up from the innermost scope outwards; one with a leading dot is a full name already.
pub(super) fn resolve<T>(scope: &str, written: &str, mut lookup: impl FnMut(&str) -> Option<T>) -> Option<T> {
    if let Some(absolute) = written.strip_prefix('.') {
        return lookup(absolute);
    }
    let mut scope = scope;
    let mut candidate = String::with_capacity(scope.len() + written.len() + 1);
    while !scope.is_empty() {
        candidate.clear();
        candidate.extend([scope, ".", written]);
        if let Some(found) = lookup(&candidate) {
            return Some(found);
        }
        scope = scope.rfind('.').map_or("", |end| &scope[..end]);
    }
    lookup(written)
}
