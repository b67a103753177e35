//! The broker from outside: over a socket, and as a process of its own that is killed or has no room on its disk.
//!
//! One program for all of it, since each program is linked by itself.

mod answers;
mod crash;
mod disk;
mod foreign_clients;
mod latency;
mod limits;
mod process;
mod protocol;
mod settings;
mod wire;
