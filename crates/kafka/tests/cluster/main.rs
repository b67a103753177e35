//! One suite for every cluster: the embedded broker by default, or the one that `POSTERN_TEST_BOOTSTRAP` names (such as
//! Apache Kafka). Topics get names of their own, so a cluster may be used again and again.

mod administration;
mod chaos;
mod consuming;
mod groups;
mod outages;
mod placement;
mod reading;
mod records;
mod secured;
mod target;
mod topics;
mod truncation;
mod users;
