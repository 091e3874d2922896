//! The one connection that all share but the readers that wait, and making it again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value, cmd};
use tokio::sync::watch;

use super::address::Address;
use super::backoff::Backoff;
use super::fault::{Fault, checked};
use super::reply::{self, Reach};
use super::resp;
use super::session::Session;
use crate::{BusError, EVENTS_STREAM, Entry, StreamKey};

/// A reply that takes longer than this does not come: Redis is stopped, paused, or not there any more. Replies are a few
/// MiB at most.
const REPLY_MAX: Duration = Duration::from_secs(3);

/// How long a question waits for a new connection, when the old one turns out to be broken.
const AGAIN_MAX: Duration = Duration::from_millis(500);

/// How often the connection is looked after while nobody uses it: so soon is it known that Redis left.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The connection, made anew whenever it breaks.
pub(super) struct Link {
    pub(super) address: Address,
    state: watch::Sender<State>,
    connected: AtomicU64,
    length: AtomicU64,
}

#[derive(Clone)]
enum State {
    /// Nothing is known yet.
    New,
    Up(Connected),
    Away(String),
    Closed,
}

/// The connection, and which it is of all there were.
#[derive(Clone)]
pub(super) struct Connected {
    pub(super) session: Session,
    number: u64,
}

impl Link {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            state: watch::Sender::new(State::New),
            connected: AtomicU64::new(0),
            length: AtomicU64::new(0),
        }
    }

    /// Keeps the connection, until the link is closed.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut backoff = Backoff::default();
        while !self.is_closed() {
            match Session::open(&self.address, REPLY_MAX).await {
                Ok(session) => {
                    let number = self.count_connection();
                    let connected = Connected { session, number };
                    self.set(State::Up(connected.clone()));
                    if backoff.failures() > 1 {
                        tracing::info!(address = %self.address, "Redis is back");
                    }
                    self.watch_over(&connected, &mut backoff).await;
                }
                Err(fault) => {
                    let why = fault.text(&StreamKey::events());
                    if backoff.failures() == 1 {
                        tracing::warn!(address = %self.address, why, "Redis is away; it is tried again and again");
                    }
                    self.set(State::Away(why));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = self.closed() => {}
            }
        }
    }

    /// Waits until the first try to connect went well or not.
    pub(super) async fn tried(&self) {
        let mut state = self.state.subscribe();
        // The sender is ours, and not dropped before.
        let _ = state.wait_for(|state| !matches!(state, State::New)).await;
    }

    /// The connection, if there is one now.
    pub(super) fn now(&self) -> Result<Connected, BusError> {
        match &*self.state.borrow() {
            State::Up(connected) => Ok(connected.clone()),
            State::New => Err(BusError::Away("it was not reached yet".to_owned())),
            State::Away(why) => Err(BusError::Away(why.clone())),
            State::Closed => Err(BusError::Closed),
        }
    }

    /// The connection, once there is one; none when the link is closed.
    pub(super) async fn up(&self) -> Option<Connected> {
        let mut state = self.state.subscribe();
        let found = state
            .wait_for(|state| matches!(state, State::Up(_) | State::Closed))
            .await;
        match &*found.ok()? {
            State::Up(connected) => Some(connected.clone()),
            _ => None,
        }
    }

    /// A connection broke: it is made anew, unless that was done already.
    pub(super) fn lost(&self, connected: &Connected, why: &str) {
        self.state.send_if_modified(|state| {
            let is_this = matches!(state, State::Up(up) if up.number == connected.number);
            if is_this {
                *state = State::Away(why.to_owned());
            }
            is_this
        });
    }

    /// Asks for something in a stream.
    pub(super) async fn call(&self, key: &StreamKey, command: &Cmd) -> Result<Value, BusError> {
        let reply = self.ask(key, command).await?;
        resp::value(&reply)
            .and_then(checked)
            .map_err(|fault| fault.into_error(key))
    }

    /// Asks for entries of a stream.
    pub(super) async fn entries(&self, key: &StreamKey, command: &Cmd) -> Result<Vec<Arc<Entry>>, BusError> {
        let reply = self.ask(key, command).await?;
        resp::entries(&reply).map_err(|fault| fault.into_error(key))
    }

    /// Looks at a stream. One that is not there is empty.
    pub(super) async fn reach(&self, key: &StreamKey) -> Result<Reach, BusError> {
        let reply = self.ask(key, &xinfo(key)).await?;
        let reply = resp::value(&reply).and_then(reply::reach_or_nothing);
        reply.map_err(|fault| fault.into_error(key))
    }

    /// Asks one thing, which may be asked twice. Where the connection turns out to be broken, and a new one is there in a
    /// moment, it is asked over that: nobody need hear that Redis is away when it is not.
    async fn ask(&self, key: &StreamKey, question: &Cmd) -> Result<Bytes, BusError> {
        let connected = self.now()?;
        let mut asked = self.noticed(&connected, connected.session.ask(question).await);
        if let Err(Fault::Lost(_)) = &asked
            && let Ok(Some(connected)) = tokio::time::timeout(AGAIN_MAX, self.up()).await
        {
            asked = self.noticed(&connected, connected.session.ask(question).await);
        }
        asked.map_err(|fault| fault.into_error(key))
    }

    /// Reports a broken connection, and passes everything on.
    pub(super) fn noticed<T>(&self, connected: &Connected, done: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(Fault::Lost(why)) = &done {
            self.lost(connected, why);
        }
        done
    }

    /// Ends it.
    pub(super) fn close(&self) {
        self.set(State::Closed);
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(|state| matches!(state, State::Closed)).await;
    }

    /// One more connection was made, of whatever kind; answers how many there were before.
    pub(super) fn count_connection(&self) -> u64 {
        self.connected.fetch_add(1, Ordering::Relaxed)
    }

    /// How often a connection was made anew, the readers' with it.
    pub(super) fn reconnects(&self) -> u64 {
        self.connected.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// Entries of the stream of events, when they were last counted.
    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    fn is_closed(&self) -> bool {
        matches!(*self.state.borrow(), State::Closed)
    }

    /// Nothing follows after the end.
    fn set(&self, new: State) {
        self.state.send_if_modified(|state| {
            let is_open = !matches!(state, State::Closed);
            if is_open {
                *state = new;
            }
            is_open
        });
    }

    /// Waits until the connection breaks, and looks whether it did without anybody noticing.
    async fn watch_over(&self, connected: &Connected, backoff: &mut Backoff) {
        let mut state = self.state.subscribe();
        let is_over = |state: &State| !matches!(state, State::Up(up) if up.number == connected.number);
        loop {
            let mut count = cmd("XLEN");
            count.arg(EVENTS_STREAM);
            let counted = connected.session.call(&count).await;
            // Refusals are the matter of those who are refused.
            if let Ok(Ok(length)) = self
                .noticed(connected, counted)
                .map(|reply| reply::number(&reply))
            {
                self.length.store(length, Ordering::Relaxed);
            }
            let over = state.wait_for(is_over);
            if tokio::time::timeout(LOOK_EVERY, over).await.is_ok() {
                return;
            }
            backoff.reset();
        }
    }
}

/// Looks at a stream. One that is not there is empty.
pub(super) async fn reach(session: &Session, key: &StreamKey) -> Result<Reach, Fault> {
    reply::reach_or_nothing(resp::value(&session.ask(&xinfo(key)).await?)?)
}

fn xinfo(key: &StreamKey) -> Cmd {
    let mut look = cmd("XINFO");
    look.arg("STREAM").arg(key.as_str());
    look
}
