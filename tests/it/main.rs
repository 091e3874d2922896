//! What the program promises to the outside, tested on the real program in a process of its own.
//!
//! A table of contents; each file says at its top which promise it holds. `kill -9`, signals and file modes need
//! Unix; other systems run the tests of the crates, and `walls`.

#[cfg(unix)]
mod analysis; // runs over HTTP: what they tell, paused, cancelled, and what they find
#[cfg(unix)]
mod analysis_crash; // kill -9 in the middle of a run
#[cfg(target_os = "linux")]
mod analysis_disk; // the disk is full in the middle of a run
#[cfg(unix)]
mod analysis_parts; // what is imported in parts is analysed as what is imported at once
#[cfg(unix)]
mod analysis_redis; // workers and Redis killed in the middle of a run
#[cfg(unix)]
mod analyze_cli; // `chatstats analyze`
#[cfg(unix)]
mod bus_api; // the log read and published to over HTTP
#[cfg(unix)]
mod bus_crash; // kill -9 while events are published and followed
#[cfg(unix)]
mod bus_redis; // the bus in Redis: shared, away and back, a thousand clients
#[cfg(unix)]
mod bus_resume; // clients of the bus come back, fall behind, and are sent away
#[cfg(unix)]
mod bus_stream; // what the event streams of the bus tell
#[cfg(unix)]
mod cli; // commands, their output and exit codes
#[cfg(unix)]
mod conversations; // pauses end conversations, and each seal is on the bus once
#[cfg(unix)]
mod crash; // kill -9 while messages are posted and exports imported
#[cfg(unix)]
mod events_cli; // `chatstats events`
#[cfg(unix)]
mod guard; // who gets in: every route, every wrong Host, Origin and token
#[cfg(unix)]
mod history; // a very long chat as one event, in bounded memory
#[cfg(unix)]
mod join; // clients that join, and clients that do not read, while messages are posted
#[cfg(unix)]
mod lists; // the streams of chats and contacts
#[cfg(unix)]
mod metrics; // the stream of metrics
#[cfg(unix)]
mod passes; // passes switched off and on, and live ones
#[cfg(unix)]
mod posts; // what a post promises with its answer
#[cfg(unix)]
mod private; // files, logs and the token
#[cfg(unix)]
mod resume; // clients that were cut off come back
#[cfg(unix)]
mod settings; // flag over variable over file, and starts that fail
#[cfg(unix)]
mod shutdown; // signals end it at once, whatever it is doing
#[cfg(unix)]
mod stream; // what an event stream looks like on the wire
mod walls; // which crate may depend on which
