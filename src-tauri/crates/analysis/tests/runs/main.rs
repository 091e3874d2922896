//! Runs over a real database and a real event log.
//!
//! - `whole`: a run from its first event to its last; what a second one finds to do
//! - `failures`: passes that panic, hang, and fail by chance; dead letters
//! - `chance`: ten thousand conversations, and all of these at once
//! - `restarts`: what a start takes up from the one before
//! - `control`: cancel, pause, priorities
//! - `remote`: workers elsewhere, over a real Redis
//! - `alike`: what they find is what is found here, to the letter; and what is said to those of another version
//! - `sealed`: a conversation that is sealed is analysed
//! - `live`: one that is open is analysed while it grows
//! - `commitments`: what a run finds of them, and when that is told
//! - `switches`: passes switched off and on

mod alike;
mod chance;
mod commitments;
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
