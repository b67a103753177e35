//! The options that `descriptor.proto` declares, by the message that holds them.

use crate::model::{Setting, SettingValue, Text};
use crate::wire::{self, Raw, WireType};

/// Name, number and type of an option.
type Known = (&'static str, u32, Kind);

pub(super) enum Kind {
    Bool,
    Text,
    /// The constants; the first has number `.0`.
    Enum(u64, &'static [&'static str]),
}

pub(super) const FILE: &[Known] = &[
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
];

pub(super) const MESSAGE: &[Known] = &[
    ("message_set_wire_format", 1, Kind::Bool),
    ("no_standard_descriptor_accessor", 2, Kind::Bool),
    ("deprecated", 3, Kind::Bool),
    ("map_entry", 7, Kind::Bool),
];

pub(super) const FIELD: &[Known] = &[
    ("ctype", 1, Kind::Enum(0, &["STRING", "CORD", "STRING_PIECE"])),
    ("packed", 2, Kind::Bool),
    ("jstype", 6, Kind::Enum(0, &["JS_NORMAL", "JS_STRING", "JS_NUMBER"])),
    ("lazy", 5, Kind::Bool),
    ("deprecated", 3, Kind::Bool),
    ("weak", 10, Kind::Bool),
    ("unverified_lazy", 15, Kind::Bool),
    ("debug_redact", 16, Kind::Bool),
];

pub(super) const ENUM: &[Known] = &[("allow_alias", 2, Kind::Bool), ("deprecated", 3, Kind::Bool)];

pub(super) const CONSTANT: &[Known] = &[("deprecated", 1, Kind::Bool)];

pub(super) const SERVICE: &[Known] = &[("deprecated", 33, Kind::Bool)];

pub(super) const METHOD: &[Known] = &[
    ("deprecated", 33, Kind::Bool),
    ("idempotency_level", 34, Kind::Enum(0, &["IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT"])),
];

/// Those of `known` that are in `bytes`, in the order of `known`.
pub(super) fn read(known: &[Known], bytes: &[u8]) -> Option<Vec<Setting>> {
    let fields = wire::fields(bytes).collect::<Option<Vec<_>>>()?;
    let mut options = Vec::new();
    for (name, number, kind) in known {
        let Some((_, raw)) = fields.iter().rev().find(|(found, _)| found == number) else { continue };
        let value = match (kind, raw) {
            (Kind::Bool, Raw::Number(value)) => SettingValue::Word((*value != 0).to_string()),
            (Kind::Text, Raw::Bytes(bytes)) => SettingValue::Text(Text::new(std::str::from_utf8(bytes).ok()?)),
            (Kind::Enum(first, constants), Raw::Number(value)) => {
                let constant = value.checked_sub(*first).and_then(|position| constants.get(position as usize))?;
                SettingValue::Word((*constant).to_owned())
            }
            (Kind::Bool | Kind::Enum(..), Raw::Bytes(_)) | (Kind::Text, Raw::Number(_)) => return None,
        };
        options.push(Setting { name: (*name).to_owned(), value });
    }
    Some(options)
}

/// The options message as field `at`; nothing when none of `options` is known.
pub(super) fn write(known: &[Known], options: &[Setting], at: u32, out: &mut Vec<u8>) {
    let mut fields = Vec::new();
    for Setting { name, value } in options {
        let Some((_, number, kind)) = known.iter().find(|(known, ..)| known == name) else { continue };
        let mut field = Vec::new();
        match (kind, value) {
            (Kind::Bool, SettingValue::Word(word)) => {
                wire::key(*number, WireType::Varint, &mut field);
                field.push((word == "true").into());
            }
            (Kind::Text, SettingValue::Text(text)) => super::write::text(*number, &text.plain, &mut field),
            (Kind::Enum(first, constants), SettingValue::Word(word)) => {
                let Some(position) = constants.iter().position(|constant| constant == word) else { continue };
                wire::key(*number, WireType::Varint, &mut field);
                wire::varint(first + position as u64, &mut field);
            }
            // Of another type than its declaration says: no compiler would take it.
            (Kind::Bool | Kind::Text | Kind::Enum(..), _) => continue,
        }
        fields.push((*number, field));
    }
    if fields.is_empty() {
        return;
    }
    fields.sort_by_key(|(number, _)| *number);
    let bytes = fields.into_iter().flat_map(|(_, field)| field).collect::<Vec<_>>();
    super::write::bytes(at, &bytes, out);
}
