//! The pass against a server on loopback that speaks the protocol.

#[path = "../fake_server/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest of it")]
mod fake_server;

/// A pass, a server and a conversation.
mod setup;

/// What is asked, and what becomes of the answer.
mod answers;
/// Budgets, and that calls under way can be stopped.
mod bounds;
/// Servers that are busy, away, slow or wrong.
mod faults;
/// Many calls at a time.
mod flight;
