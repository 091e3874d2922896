//! The bus over real servers: Redis as Debian ships it, and Valkey.
#![cfg(unix)] // Neither of them runs on Windows.

/// Answers to a queue of work.
mod answers;
/// What both engines promise.
#[path = "../contract/mod.rs"]
mod contract;
/// What goes wrong with Redis, and what becomes of the events.
mod faults;
/// Other programs on the same stream: the README's examples, run as they stand.
mod interop;
/// Redis keeps the contract, and so does Valkey.
mod promises;
/// Starting servers and ending them.
mod servers;
/// How Redis is reached: passwords, TLS, a Unix socket; and over how many connections.
mod ways_in;
