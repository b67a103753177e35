//! The registry on a real broker, and on the cluster that `POSTERN_TEST_BOOTSTRAP` names (`instances`).
//!
//! One program for all of it, since each program is linked by itself.

mod instances;
mod member;
mod registry;
mod rules;
