//! The options that `descriptor.proto` declares, by the message that holds them, and Confluent's own ([`meta`]).

use super::meta;
use crate::model::{OptionValue, ProtoOption, StringLiteral};
use crate::wire::{self, Raw};

/// Name, number and type of an option.
type Known = (&'static str, u32, Kind);

/// The options of one kind of declaration.
pub(super) struct Options {
    known: &'static [Known],
    /// Confluent's option for such declarations.
    meta: Option<&'static str>,
}

enum Kind {
    Bool,
    Text,
    /// The constants; the first has number `.0`.
    Enum(u64, &'static [&'static str]),
}

pub(super) const FILE: Options = Options {
    known: &[
        ("java_package", 1, Kind::Text),
        ("java_outer_classname", 8, Kind::Text),
        ("java_multiple_files", 10, Kind::Bool),
        ("java_generate_equals_and_hash", 20, Kind::Bool),
        ("java_string_check_utf8", 27, Kind::Bool),
        ("optimize_for", 9, Kind::Enum(1, &["SPEED", "CODE_SIZE", "LITE_RUNTIME"])),
        ("go_package", 11, Kind::Text),
        ("cc_generic_services", 16, Kind::Bool),
        ("java_generic_services", 17, Kind::Bool),
        ("py_generic_services", 18, Kind::Bool),
        ("php_generic_services", 42, Kind::Bool),
        ("deprecated", 23, Kind::Bool),
        ("cc_enable_arenas", 31, Kind::Bool),
        ("objc_class_prefix", 36, Kind::Text),
        ("csharp_namespace", 37, Kind::Text),
        ("swift_prefix", 39, Kind::Text),
        ("php_class_prefix", 40, Kind::Text),
        ("php_namespace", 41, Kind::Text),
        ("php_metadata_namespace", 44, Kind::Text),
        ("ruby_package", 45, Kind::Text),
    ],
    meta: Some("confluent.file_meta"),
};

pub(super) const MESSAGE: Options = Options {
    known: &[
        ("message_set_wire_format", 1, Kind::Bool),
        ("no_standard_descriptor_accessor", 2, Kind::Bool),
        ("deprecated", 3, Kind::Bool),
        ("map_entry", 7, Kind::Bool),
    ],
    meta: Some("confluent.message_meta"),
};

pub(super) const FIELD: Options = Options {
    known: &[
        ("ctype", 1, Kind::Enum(0, &["STRING", "CORD", "STRING_PIECE"])),
        ("packed", 2, Kind::Bool),
        ("jstype", 6, Kind::Enum(0, &["JS_NORMAL", "JS_STRING", "JS_NUMBER"])),
        ("lazy", 5, Kind::Bool),
        ("deprecated", 3, Kind::Bool),
        ("weak", 10, Kind::Bool),
        ("unverified_lazy", 15, Kind::Bool),
        ("debug_redact", 16, Kind::Bool),
        ("retention", 17, Kind::Enum(0, &["RETENTION_UNKNOWN", "RETENTION_RUNTIME", "RETENTION_SOURCE"])),
    ],
    meta: Some("confluent.field_meta"),
};

pub(super) const ENUM: Options = Options {
    known: &[("allow_alias", 2, Kind::Bool), ("deprecated", 3, Kind::Bool)],
    meta: Some("confluent.enum_meta"),
};

pub(super) const CONSTANT: Options = Options {
    known: &[("deprecated", 1, Kind::Bool), ("debug_redact", 3, Kind::Bool)],
    meta: Some("confluent.enum_value_meta"),
};

pub(super) const SERVICE: Options = Options { known: &[("deprecated", 33, Kind::Bool)], meta: None };

pub(super) const METHOD: Options = Options {
    known: &[
        ("deprecated", 33, Kind::Bool),
        ("idempotency_level", 34, Kind::Enum(0, &["IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT"])),
    ],
    meta: None,
};

impl Options {
    /// Those in `bytes` that are known, in the order of the table. `None`: the bytes are no such message.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Vec<ProtoOption>> {
        let fields = wire::fields(bytes).collect::<Option<Vec<_>>>()?;
        let mut options = Vec::new();
        for (name, number, kind) in self.known {
            let Some((_, raw)) = fields.iter().rev().find(|(found, _)| found == number) else { continue };
            let value = match (kind, raw) {
                (Kind::Bool, Raw::Number(value)) => OptionValue::Word((*value != 0).to_string()),
                (Kind::Text, Raw::Bytes(bytes)) => {
                    OptionValue::Text(StringLiteral::new(std::str::from_utf8(bytes).ok()?))
                }
                (Kind::Enum(first, constants), Raw::Number(value)) => {
                    let constant = value.checked_sub(*first).and_then(|position| constants.get(position as usize))?;
                    OptionValue::Word((*constant).to_owned())
                }
                (Kind::Bool | Kind::Enum(..), Raw::Bytes(_)) | (Kind::Text, Raw::Number(_)) => return None,
            };
            options.push(ProtoOption { name: (*name).to_owned(), value });
        }
        if let Some(name) = self.meta {
            // Several occurrences of a message are one, and so are their bytes.
            let parts = fields.iter().filter_map(|(number, raw)| match raw {
                Raw::Bytes(bytes) if *number == meta::NUMBER => Some(*bytes),
                Raw::Bytes(_) | Raw::Number(_) => None,
            });
            options.extend(meta::read(name, &parts.collect::<Vec<_>>().concat())?);
        }
        Some(options)
    }

    /// The options message as field `at`; nothing when none of `options` is known.
    pub(super) fn write(&self, options: &[ProtoOption], at: u32, out: &mut Vec<u8>) {
        let mut fields = Vec::new();
        for ProtoOption { name, value } in options {
            let Some((_, number, kind)) = self.known.iter().find(|(known, ..)| known == name) else { continue };
            let mut field = Vec::new();
            match (kind, value) {
                (Kind::Bool, OptionValue::Word(word)) => {
                    wire::varint_field(*number, (word == "true").into(), &mut field);
                }
                (Kind::Text, OptionValue::Text(text)) => wire::string_field(*number, &text.plain, &mut field),
                (Kind::Enum(first, constants), OptionValue::Word(word)) => {
                    let Some(position) = constants.iter().position(|constant| constant == word) else { continue };
                    wire::varint_field(*number, first + position as u64, &mut field);
                }
                // Of another type than its declaration says: no compiler would take it.
                (Kind::Bool | Kind::Text | Kind::Enum(..), _) => continue,
            }
            fields.push((*number, field));
        }
        if let Some(message) = self.meta.and_then(|name| meta::write(name, options)) {
            let mut field = Vec::new();
            wire::bytes_field(meta::NUMBER, &message, &mut field);
            fields.push((meta::NUMBER, field));
        }
        if fields.is_empty() {
            return;
        }
        fields.sort_by_key(|(number, _)| *number);
        let bytes = fields.into_iter().flat_map(|(_, field)| field).collect::<Vec<_>>();
        wire::bytes_field(at, &bytes, out);
    }
}
