//! Runs over a real database and a real event log.
//!
//! - `whole`: a run from its first event to its last; what a second one finds to do
//! - `failures`: passes that panic, hang, and fail by chance; dead letters
//! - `chance`: ten thousand conversations, and all of these at once
//! - `restarts`: what a start takes up from the one before
//! - `control`: cancel, pause, priorities
//! - `remote`: workers elsewhere, over a real Redis
//! - `sealed`: a conversation that is sealed is analysed
//! - `live`: one that is open is analysed while it grows
//! - `switches`: passes switched off and on

mod chance;
mod control;
mod failures;
mod live;
mod passes;
mod remote;
mod restarts;
mod sealed;
mod switches;
mod whole;
mod world;
