//! The files that every Protobuf schema may import without naming them as references.
//!
//! Declarations only, as they are published; documentation is left out. Parsed on first use.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use super::parse;
use super::unit::Unit;

/// The file that is imported by this path.
pub(super) fn unit(path: &str) -> Option<&'static Arc<Unit>> {
    Some(BUNDLED.iter().find(|bundled| bundled.path == path)?.unit())
}

/// All of them.
pub(super) fn units() -> impl Iterator<Item = &'static Arc<Unit>> {
    BUNDLED.iter().map(Bundled::unit)
}

/// The file at this position in the list.
pub(super) fn unit_at(position: usize) -> &'static Arc<Unit> {
    BUNDLED[position].unit()
}

/// The type of this full name: the position of its file, whether it is a message (or an enum), its position in the file.
pub(super) fn declared(full_name: &str) -> Option<(usize, bool, usize)> {
    static DECLARED: LazyLock<HashMap<&'static str, (usize, bool, usize)>> = LazyLock::new(|| {
        let mut declared = HashMap::new();
        for (position, bundled) in BUNDLED.iter().enumerate() {
            let file = &bundled.unit().file;
            let messages = file.messages.iter().enumerate();
            declared.extend(messages.map(|(id, message)| (message.full_name.as_str(), (position, true, id))));
            let enums = file.enums.iter().enumerate();
            declared.extend(enums.map(|(id, one)| (one.full_name.as_str(), (position, false, id))));
        }
        declared
    });
    let packages = ["google.", "confluent."];
    packages.iter().any(|package| full_name.starts_with(package)).then(|| DECLARED.get(full_name).copied())?
}

struct Bundled {
    path: &'static str,
    text: &'static str,
    unit: OnceLock<Arc<Unit>>,
}

impl Bundled {
    fn unit(&self) -> &Arc<Unit> {
        self.unit.get_or_init(|| {
            let file = parse::parse(self.text).expect("a test parses every bundled file");
            Arc::new(Unit::new(file, Vec::new(), unit))
        })
    }
}

macro_rules! bundled {
    ($($path:literal),* $(,)?) => {
        [$(Bundled { path: $path, text: include_str!(concat!("bundled/", $path)), unit: OnceLock::new() }),*]
    };
}

static BUNDLED: [Bundled; 30] = bundled![
    "confluent/meta.proto",
    "confluent/type/decimal.proto",
    "confluent/type/variant.proto",
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
    "google/type/calendar_period.proto",
    "google/type/color.proto",
    "google/type/date.proto",
    "google/type/datetime.proto",
    "google/type/dayofweek.proto",
    "google/type/decimal.proto",
    "google/type/expr.proto",
    "google/type/fraction.proto",
    "google/type/interval.proto",
    "google/type/latlng.proto",
    "google/type/money.proto",
    "google/type/month.proto",
    "google/type/phone_number.proto",
    "google/type/postal_address.proto",
    "google/type/quaternion.proto",
    "google/type/timeofday.proto",
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{BUNDLED, unit};
    use crate::check;
    use crate::names::Types;

    #[test]
    fn every_file_can_be_read() {
        for bundled in &BUNDLED {
            let unit = unit(bundled.path).expect("listed");
            let types = Types::new(&Arc::clone(unit));
            check::check(&types).unwrap_or_else(|error| panic!("{}: {error}", bundled.path));
            assert_eq!(unit.missing, Vec::<String>::new(), "{}", bundled.path);
        }
    }
}
