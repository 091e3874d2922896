//! The bus over real servers: Redis as Debian ships it, and Valkey.

/// What both engines promise.
#[path = "../contract/mod.rs"]
mod contract;
/// Redis keeps it, and so does Valkey.
mod promises;
/// Starting servers and ending them.
mod servers;
