//! The files that every Protobuf schema may import without giving them as references.
//!
//! Declarations only, as they are published; texts of documentation are left out. Read on first use.

use std::sync::{Arc, OnceLock};

use super::names::Unit;
use super::parse;

/// The file that is imported by this path.
pub(super) fn unit(path: &str) -> Option<&'static Arc<Unit>> {
    let Bundled { text, unit, .. } = BUNDLED.iter().find(|bundled| bundled.path == path)?;
    Some(unit.get_or_init(|| {
        let file = parse::parse(text).expect("a test reads every bundled file");
        Arc::new(Unit::new(file, |path| self::unit(path).cloned()))
    }))
}

struct Bundled {
    path: &'static str,
    text: &'static str,
    unit: OnceLock<Arc<Unit>>,
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
            let imports = unit.file.imports.len() + unit.file.public_imports.len();
            assert_eq!(unit.imports.len(), imports, "{}", bundled.path);
        }
    }
}
