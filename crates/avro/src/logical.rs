//! Logical types that Avro knows: on which types they have a meaning, and what their values are in JSON.
//!
//! Source: Avro specification 1.12, "Logical Types". Values are written as the underlying type (`docs/reference/serialization.md
//! §5.1`), which people expect least of dates and times.

use serde_json::{Map, Value};

use crate::model::{Kind, Primitive};

/// A logical type with a meaning on its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogicalType {
    Decimal { precision: u64, scale: u64 },
    BigDecimal,
    Uuid,
    Duration,
    Date,
    Time(Unit),
    Timestamp(Unit),
    LocalTimestamp(Unit),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl LogicalType {
    /// The `logicalType` among `properties`, unless it has no meaning on this type: then it is an ordinary property.
    pub(crate) fn of(kind: &Kind, properties: &Map<String, Value>) -> Option<LogicalType> {
        let base = match kind {
            Kind::Primitive(primitive) => Some(*primitive),
            _ => None,
        };
        let size = match kind {
            Kind::Fixed(fixed) => Some(fixed.size),
            _ => None,
        };
        let on = |primitive, logical_type| (base == Some(primitive)).then_some(logical_type);
        match properties.get("logicalType").and_then(Value::as_str)? {
            "decimal" => decimal(base, size, properties),
            "big-decimal" => on(Primitive::Bytes, LogicalType::BigDecimal),
            "uuid" => (base == Some(Primitive::String) || size == Some(16)).then_some(LogicalType::Uuid),
            "duration" => (size == Some(12)).then_some(LogicalType::Duration),
            "date" => on(Primitive::Int, LogicalType::Date),
            "time-millis" => on(Primitive::Int, LogicalType::Time(Unit::Millis)),
            "time-micros" => on(Primitive::Long, LogicalType::Time(Unit::Micros)),
            "timestamp-millis" => on(Primitive::Long, LogicalType::Timestamp(Unit::Millis)),
            "timestamp-micros" => on(Primitive::Long, LogicalType::Timestamp(Unit::Micros)),
            "timestamp-nanos" => on(Primitive::Long, LogicalType::Timestamp(Unit::Nanos)),
            "local-timestamp-millis" => on(Primitive::Long, LogicalType::LocalTimestamp(Unit::Millis)),
            "local-timestamp-micros" => on(Primitive::Long, LogicalType::LocalTimestamp(Unit::Micros)),
            "local-timestamp-nanos" => on(Primitive::Long, LogicalType::LocalTimestamp(Unit::Nanos)),
            _ => None,
        }
    }

    /// What its values are, with an example, for a message.
    pub(crate) fn describe(self) -> String {
        match self {
            LogicalType::Decimal { precision, scale } => {
                let least = match scale {
                    0 => "1".to_owned(),
                    1..=20 => format!("0.{}1", "0".repeat(scale as usize - 1)),
                    _ => format!("1e-{scale}"),
                };
                format!(
                    "a decimal of precision {precision} and scale {scale}, as the two's complement bytes of its unscaled \
                     value; {least} is \"\\u0001\""
                )
            }
            LogicalType::BigDecimal => "a big-decimal: its unscaled value as Avro bytes, then its scale".to_owned(),
            LogicalType::Uuid => "a uuid".to_owned(),
            LogicalType::Duration => {
                "a duration: months, days and milliseconds, each as four bytes, the lowest first".to_owned()
            }
            LogicalType::Date => "days since 1970-01-01 (date), such as 20787".to_owned(),
            LogicalType::Time(unit) => {
                let (unit, suffix, zeros) = unit.words();
                format!("{unit} since midnight (time-{suffix}), such as 43200{zeros} for noon")
            }
            LogicalType::Timestamp(unit) => {
                let (unit, suffix, zeros) = unit.words();
                format!("{unit} since 1970 (timestamp-{suffix}), such as 1796030900{zeros}")
            }
            LogicalType::LocalTimestamp(unit) => {
                let (unit, suffix, zeros) = unit.words();
                format!("{unit} since 1970 in local time (local-timestamp-{suffix}), such as 1796030900{zeros}")
            }
        }
    }
}

impl Unit {
    /// The unit, how the names of types end, and its digits after those of a second.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Unit::Millis => ("milliseconds", "millis", "000"),
            Unit::Micros => ("microseconds", "micros", "000000"),
            Unit::Nanos => ("nanoseconds", "nanos", "000000000"),
        }
    }
}

fn decimal(base: Option<Primitive>, size: Option<usize>, properties: &Map<String, Value>) -> Option<LogicalType> {
    let whole = |member: &str| properties.get(member).and_then(Value::as_u64);
    let max_digits = match size {
        // The digits that fit whatever the first bit, which is the sign.
        Some(size) => ((8.0 * size as f64 - 1.0) * std::f64::consts::LOG10_2).max(0.0) as u64,
        None if base == Some(Primitive::Bytes) => i32::MAX as u64,
        None => 0,
    };
    let precision = whole("precision").filter(|precision| (1..=max_digits).contains(precision))?;
    let scale = match properties.get("scale") {
        None => 0,
        Some(_) => whole("scale").filter(|scale| *scale <= precision)?,
    };
    Some(LogicalType::Decimal { precision, scale })
}
