//! The types that a file can name: its own, and those of the files it imports, directly or not.
//!
//! A name is looked for from the innermost scope outwards, as the language says. Which of the imports are public is not
//! asked: registries have always found types behind any of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::model::{Enum, Field, FieldType, File, Message, Scalar};

/// A file together with the files that it imports.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) file: File,
    /// Those imports that were found. An import that is not there is missed only when one of its types is.
    pub(super) imports: Vec<Arc<Unit>>,
    /// The one among `imports` that the file stands for: it declares nothing, and imports only this one publicly.
    pub(super) stands_for: Option<usize>,
}

impl Unit {
    /// `imported`: the file of a path, where there is one.
    pub(super) fn new(file: File, imported: impl Fn(&str) -> Option<Arc<Unit>>) -> Unit {
        let mut imports = file.imports.iter().filter_map(|path| imported(path)).collect::<Vec<_>>();
        let plain = imports.len();
        imports.extend(file.public_imports.iter().filter_map(|path| imported(path)));
        let stands_for = match file.public_imports.as_slice() {
            [_] if file.top.messages.is_empty() && file.top.enums.is_empty() => {
                (imports.len() > plain).then_some(plain)
            }
            _ => None,
        };
        Unit { file, imports, stands_for }
    }
}

impl Drop for Unit {
    /// Chains of imports may be longer than any stack.
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.imports);
        while let Some(unit) = left.pop() {
            if let Some(mut unit) = Arc::into_inner(unit) {
                left.append(&mut unit.imports);
            }
        }
    }
}

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
    pub(super) files: Vec<Arc<Unit>>,
    by_name: HashMap<String, Named>,
}

impl Types {
    pub(super) fn new(root: &Arc<Unit>) -> Types {
        let mut types = Types { files: Vec::new(), by_name: HashMap::new() };
        let mut seen = HashSet::new();
        let mut waiting = vec![Arc::clone(root)];
        while let Some(unit) = waiting.pop() {
            if seen.insert(Arc::as_ptr(&unit)) {
                waiting.extend(unit.imports.iter().rev().map(Arc::clone));
                types.add(unit);
            }
        }
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
        &self.files[position].file
    }

    pub(super) fn full_name(&self, named: Named) -> &str {
        match named {
            Named::Message(id) => &self.message(id).full_name,
            Named::Enum(id) => &self.enumeration(id).full_name,
        }
    }

    /// What `written` means inside of `scope`, the full name of a message or a package; empty for neither.
    pub(super) fn resolve(&self, scope: &str, written: &str) -> Option<Named> {
        if let Some(absolute) = written.strip_prefix('.') {
            return self.by_name.get(absolute).copied();
        }
        let mut scope = scope;
        let mut candidate = String::with_capacity(scope.len() + written.len() + 1);
        while !scope.is_empty() {
            candidate.clear();
            candidate.extend([scope, ".", written]);
            if let Some(found) = self.by_name.get(&candidate) {
                return Some(*found);
            }
            scope = scope.rfind('.').map_or("", |end| &scope[..end]);
        }
        self.by_name.get(written).copied()
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

    fn entry<'f>(&'f self, message: &'f Message) -> Option<[Written<'f>; 2]> {
        let part = |number: i32| {
            message.fields.iter().find(|field| field.number == number).and_then(|field| match &field.kind {
                FieldType::Named(name) => Some(self.written(&message.full_name, name)),
                FieldType::Map(..) => None,
            })
        };
        if message.is_map_entry { Some([part(1)?, part(2)?]) } else { None }
    }

    fn written<'f>(&self, scope: &str, text: &'f str) -> Written<'f> {
        Written { text, kind: self.kind(scope, text) }
    }
}

/// The type of a field, looked up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape<'f> {
    Single(Written<'f>),
    /// Key and value.
    Map([Written<'f>; 2]),
}

/// A name as it was written, and what it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'f> {
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
