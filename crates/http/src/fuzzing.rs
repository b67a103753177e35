//! Entry points for the fuzz targets: they parse request bodies and discard the result.

pub use crate::v2::envelope;
