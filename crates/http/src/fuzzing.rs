//! Doors for the fuzz targets: what reads bodies that others wrote, and does nothing with them.

pub use crate::v2::envelope;
