//! What keeps a file from reading what was written by another.
//!
//! Types are paired by their names among their siblings, fields by number. Only differences that break readers are
//! told: `ADDED`, `MOVED` and `NAME_CHANGED` of most things are no reasons.
//!
//! Types of imported files are compared where a field uses them, in full; each pair of them once, however many fields
//! lead there, and what was found is told for each. A pair already under comparison counts as readable.
//!
//! Source: docs/reference/schema-compatibility.md §4.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::model::{Field, Label, Message, NestedTypes, Scalar};
use super::names::{Kind, MessageId, Shape, TypeName, Types};
use postern_schema_core::Description;
use postern_schema_core::Incompatibility;

/// Messages within messages, by nesting or by fields of imported types, are followed so far.
const MAX_DEPTH: usize = 150;

/// With more reasons than these, known ones are not repeated: imported types that share types would repeat them 2^n times.
const ENOUGH: usize = 1000;

/// All reasons why `reader` cannot read what `writer` wrote.
pub(super) fn differences(reader: &Types, writer: &Types) -> Vec<Incompatibility> {
    let mut report = Report { reader, writer, path: Vec::new(), found: Vec::new(), known: HashMap::new(), depth: 0 };
    if reader.file(0).package != writer.file(0).package {
        report.tell(
            "PACKAGE_CHANGED",
            &[],
            ["The package at ", " in the ", " schema does not match the package in the ", " schema"],
        );
    }
    report.siblings((0, &reader.file(0).top), (0, &writer.file(0).top));
    report.found
}

struct Report<'t> {
    reader: &'t Types,
    writer: &'t Types,
    path: Vec<String>,
    found: Vec<Incompatibility>,
    /// What was found in pairs of imported messages. Those under comparison are taken for readable.
    known: HashMap<(MessageId, MessageId), Vec<Incompatibility>>,
    depth: usize,
}

/// Text before the path, between the path and the word for the reader or the writer, and so on; see [`Report::tell`].
type Words = [&'static str; 4];

const READER_LACKS_MESSAGE: Words = ["The ", " schema is missing a MESSAGE type at path ", " in the ", " schema"];

impl<'t> Report<'t> {
    /// Messages of one scope. Of each side: the file, and the types declared in the scope.
    fn siblings(
        &mut self,
        (reader_file, reader): (usize, &'t NestedTypes),
        (writer_file, writer): (usize, &'t NestedTypes),
    ) {
        let named = reader.messages.iter().map(|index| {
            let id = MessageId { file: reader_file, index: *index };
            (self.reader.message(id).name.as_str(), id)
        });
        let named = named.collect::<HashMap<_, _>>();
        for index in &writer.messages {
            let id = MessageId { file: writer_file, index: *index };
            let message = self.writer.message(id);
            if message.is_map_entry {
                continue;
            }
            self.path.push(message.name.clone());
            match named.get(message.name.as_str()) {
                // Of an imported type, a field may have led there before.
                Some(same) if self.known.contains_key(&(*same, id)) => {}
                Some(same) => self.messages(*same, id),
                None => self.tell_reader_first("MESSAGE_REMOVED", &[], READER_LACKS_MESSAGE),
            }
            self.path.pop();
        }
    }

    fn messages(&mut self, reader_id: MessageId, writer_id: MessageId) {
        if self.depth == MAX_DEPTH {
            return;
        }
        self.depth += 1;
        let (reader, writer) = (self.reader.message(reader_id), self.writer.message(writer_id));
        let (news, olds) = (places(reader), places(writer));
        let named = reader.oneofs.iter().map(|oneof| oneof.name.as_str()).collect::<HashSet<_>>();
        let lasting = writer.oneofs.iter().map(|oneof| {
            // By its name, or by one of its members.
            named.contains(oneof.name.as_str()) || oneof.fields.iter().any(|field| news.contains_key(&field.number))
        });
        let lasting = lasting.collect::<Vec<_>>();
        for (number, old) in &olds {
            match news.get(number) {
                Some(new) => self.contents((reader_id, *new), (writer_id, *old)),
                None => self.removed(*number, *old, writer, &lasting),
            }
        }
        for (number, new) in &news {
            if !olds.contains_key(number) && new.oneof.is_none() && new.field.label == Some(Label::Required) {
                self.tell(
                    "REQUIRED_FIELD_ADDED",
                    &[&number.to_string()],
                    [
                        // Two spaces, as tools have always seen it.
                        "A required field  at path ",
                        " in the ",
                        " schema is missing in the ",
                        " schema",
                    ],
                );
            }
        }
        self.oneofs(reader, writer, &olds);
        self.siblings((reader_id.file, &reader.nested), (writer_id.file, &writer.nested));
        self.depth -= 1;
    }

    /// `lasting`: which oneofs of the writer there are still.
    fn removed(&mut self, number: i32, old: Place<'t>, writer: &Message, lasting: &[bool]) {
        let number = number.to_string();
        match old.oneof {
            None if old.field.label == Some(Label::Required) => {
                self.tell_reader_first(
                    "REQUIRED_FIELD_REMOVED",
                    &[&number],
                    ["The ", " schema is missing a required field at path: ", " in the ", " schema"],
                );
            }
            Some(oneof) if lasting[oneof] => {
                self.tell_reader_first(
                    "ONEOF_FIELD_REMOVED",
                    &[&writer.oneofs[oneof].name, &number],
                    ["The ", " schema is missing a oneof field at path ", " in the ", " schema"],
                );
            }
            None | Some(_) => {}
        }
    }

    /// Fields that share a oneof now, and did not: a value may have been written with several of them.
    fn oneofs(&mut self, reader: &Message, writer: &Message, olds: &BTreeMap<i32, Place<'t>>) {
        for oneof in &reader.oneofs {
            let mut from_top = 0;
            let mut from_oneofs = HashSet::new();
            for field in &oneof.fields {
                match olds.get(&field.number) {
                    Some(Place { oneof: Some(origin), .. }) => {
                        from_oneofs.insert(&writer.oneofs[*origin].name);
                    }
                    Some(Place { oneof: None, .. }) => from_top += 1,
                    None => {}
                }
            }
            if from_top + from_oneofs.len() < 2 {
                continue;
            }
            if from_top > 1 {
                self.tell(
                    "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
                    &[&oneof.name],
                    [
                        "Multiple fields in the oneof at path ",
                        " in the ",
                        " schema are outside a oneof in the ",
                        " schema",
                    ],
                );
            } else {
                self.tell(
                    "FIELD_MOVED_TO_EXISTING_ONEOF",
                    &[&oneof.name],
                    [
                        "A field in the oneof at path ",
                        " in the ",
                        " schema is outside an existing oneof in the ",
                        " schema",
                    ],
                );
            }
        }
    }

    /// One field, in both. Of each side: the message, and the field in it.
    fn contents(&mut self, (reader_id, new): (MessageId, Place<'t>), (writer_id, old): (MessageId, Place<'t>)) {
        let reader_scope = self.reader.message(reader_id).full_name.as_str();
        let writer_scope = self.writer.message(writer_id).full_name.as_str();
        let depth = self.path.len();
        if let Some(oneof) = new.oneof {
            self.path.push(self.reader.message(reader_id).oneofs[oneof].name.clone());
        }
        self.path.push(new.field.number.to_string());
        match (self.reader.shape(reader_scope, new.field), self.writer.shape(writer_scope, old.field)) {
            (Shape::Map(new), Shape::Map(old)) => {
                new.into_iter().zip(old).for_each(|(new, old)| self.types(new, old, None))
            }
            (Shape::Single(new_type), Shape::Single(old_type)) => {
                self.types(new_type, old_type, new.field.label.zip(old.field.label));
            }
            (Shape::Map(_), Shape::Single(_)) | (Shape::Single(_), Shape::Map(_)) => self.kind_changed(),
        }
        self.path.truncate(depth);
    }

    /// `labels`: those of the fields, where both have one and it counts.
    fn types(&mut self, reader: TypeName<'_>, writer: TypeName<'_>, labels: Option<(Label, Label)>) {
        match (wire(reader.kind), wire(writer.kind)) {
            (Some(new), Some(old)) if new != old => self.tell(
                "FIELD_SCALAR_KIND_CHANGED",
                &[],
                [
                    "The kind of a SCALAR field at path ",
                    " in the ",
                    " schema does not match its kind in the ",
                    " schema",
                ],
            ),
            (Some(Wire::Text), Some(Wire::Text)) => {}
            (Some(_), Some(_)) => {
                if labels.is_some_and(|(new, old)| new != old) {
                    self.tell(
                        "FIELD_NUMERIC_LABEL_CHANGED",
                        &[],
                        [
                            "The label for a NUMERIC field at path ",
                            " in the ",
                            " schema does not match its label in the ",
                            " schema",
                        ],
                    );
                }
            }
            (None, None) => {
                let readable = match (reader.kind, writer.kind) {
                    (Kind::Message(new), Kind::Message(old)) => self.named(new, old),
                    // What cannot be resolved is compared as it was written.
                    _ => reader.text == writer.text,
                };
                if !readable {
                    self.tell(
                        "FIELD_NAMED_TYPE_CHANGED",
                        &[],
                        [
                            "The type of a MESSAGE field at path ",
                            " in the ",
                            " schema does not match its type in the ",
                            " schema",
                        ],
                    );
                }
            }
            (Some(_), None) | (None, Some(_)) => self.kind_changed(),
        }
    }

    fn kind_changed(&mut self) {
        self.tell(
            "FIELD_KIND_CHANGED",
            &[],
            ["The type of a field at path ", " in the ", " schema does not match the ", " schema"],
        );
    }

    /// Whether the message that a field has now reads the one that it had.
    fn named(&mut self, new: MessageId, old: MessageId) -> bool {
        let (reader, writer) = (self.reader.message(new), self.writer.message(old));
        let name = self.reader.file(new.file).unqualified(&reader.full_name);
        if name != self.writer.file(old.file).unqualified(&writer.full_name) {
            return false;
        }
        // Own types meet among their siblings; and a file does not differ from itself.
        let own = new.file == 0 && old.file == 0;
        if own || Arc::ptr_eq(self.reader.unit(new.file), self.writer.unit(old.file)) {
            return true;
        }
        if let Some(reasons) = self.known.get(&(new, old)) {
            if self.found.len() < ENOUGH {
                self.found.extend(reasons.iter().cloned());
            }
            return reasons.is_empty();
        }
        self.known.insert((new, old), Vec::new());
        let outside = std::mem::replace(&mut self.path, vec![reader.name.clone()]);
        let before = self.found.len();
        self.messages(new, old);
        self.path = outside;
        let reasons = self.found[before..].to_vec();
        let readable = reasons.is_empty();
        self.known.insert((new, old), reasons);
        readable
    }

    /// `words` around the path, the word for the reader and that for the writer.
    fn tell(&mut self, kind: &'static str, steps: &[&str], [head, reader, writer, tail]: Words) {
        let path = self.pointer(steps);
        let description =
            Description::ReaderWriter(format!("{head}'{path}'{reader}"), writer.to_owned(), tail.to_owned());
        self.found.push(Incompatibility::in_protobuf(kind, path, description));
    }

    /// `words` around the word for the reader, the path, and the word for the writer.
    fn tell_reader_first(&mut self, kind: &'static str, steps: &[&str], [head, before, writer, tail]: Words) {
        let path = self.pointer(steps);
        let description =
            Description::ReaderWriter(head.to_owned(), format!("{before}'{path}'{writer}"), tail.to_owned());
        self.found.push(Incompatibility::in_protobuf(kind, path, description));
    }

    fn pointer(&self, steps: &[&str]) -> String {
        let steps = self.path.iter().map(String::as_str).chain(steps.iter().copied());
        format!("#/{}", steps.collect::<Vec<_>>().join("/"))
    }
}

/// A field and, if it is a member of one, the position of its oneof.
#[derive(Clone, Copy)]
struct Place<'m> {
    field: &'m Field,
    oneof: Option<usize>,
}

/// The fields of a message by number. Groups are not looked at.
fn places(message: &Message) -> BTreeMap<i32, Place<'_>> {
    message.all_fields().map(|(field, oneof)| (field.number, Place { field, oneof })).collect()
}

/// Types that may take each other's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    General,
    ZigZag,
    Text,
    Fixed32,
    Fixed64,
    Float,
    Double,
}

/// `None`: a message, or unknown.
fn wire(kind: Kind) -> Option<Wire> {
    match kind {
        Kind::Enum(_) => Some(Wire::General),
        Kind::Message(_) | Kind::Unknown => None,
        Kind::Scalar(scalar) => Some(match scalar {
            Scalar::Int32 | Scalar::Int64 | Scalar::Uint32 | Scalar::Uint64 | Scalar::Bool => Wire::General,
            Scalar::Sint32 | Scalar::Sint64 => Wire::ZigZag,
            Scalar::String | Scalar::Bytes => Wire::Text,
            Scalar::Fixed32 | Scalar::Sfixed32 => Wire::Fixed32,
            Scalar::Fixed64 | Scalar::Sfixed64 => Wire::Fixed64,
            Scalar::Float => Wire::Float,
            Scalar::Double => Wire::Double,
        }),
    }
}
