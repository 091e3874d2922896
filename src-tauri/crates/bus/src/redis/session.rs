//! One connection, made and greeted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Pipeline, Value, cmd};

use super::address::Address;
use super::fault::{Fault, checked};
use super::resp;
use super::wire::Wire;

/// How long a connection may take, with TLS and password: a person may be waiting for the answer that Redis is away.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// What `CLIENT LIST` shows of us.
const CLIENT_NAME: &str = "chatstats-bus";

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) struct Session {
    wire: Arc<Wire>,
    /// A reply that takes longer does not come.
    reply_max: Duration,
    /// Who we are to the server, as far as it tells.
    pub(super) client: Option<Arc<ClientId>>,
}

/// Which connection of which run of the server: numbers are never used twice within a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientId {
    run_id: String,
    number: i64,
}

impl Session {
    /// Connects, and finds the server ready to answer. A reply that takes longer than `reply_max` breaks the connection.
    pub(super) async fn open(address: &Address, reply_max: Duration) -> Result<Self, Fault> {
        let opened = tokio::time::timeout(CONNECT_MAX, Self::greet(address, reply_max)).await;
        let late = || Fault::Lost(format!("it did not answer within {} s", CONNECT_MAX.as_secs()));
        opened.unwrap_or_else(|_| Err(late()))
    }

    async fn greet(address: &Address, reply_max: Duration) -> Result<Self, Fault> {
        let wire = Wire::open(address).await;
        let wire = wire.map_err(|error| Fault::Lost(error.to_string()))?;
        let mut this = Self {
            wire: Arc::new(wire),
            reply_max,
            client: None,
        };
        let settings = address.info.redis_settings();
        let mut greeting = Pipeline::new();
        if let Some(password) = settings.password() {
            let auth = greeting.cmd("AUTH");
            if let Some(user) = settings.username() {
                auth.arg(user);
            }
            auth.arg(password);
        }
        if settings.db() != 0 {
            greeting.cmd("SELECT").arg(settings.db());
        }
        // One that is loading its data or wants a password says so here, at the latest.
        greeting.cmd("PING");
        let needed = greeting.len();
        // The rest may be forbidden to us.
        greeting.cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME);
        greeting.cmd("CLIENT").arg("ID");
        greeting.cmd("INFO").arg("server");
        let mut replies = this.send(&greeting).await?.into_iter();
        for (command, reply) in replies.by_ref().take(needed).enumerate() {
            checked(reply).map_err(|fault| match fault {
                Fault::ForNow(why) if command == 0 && settings.password().is_some() => {
                    Fault::ForNow(format!("authentication failed: {why}"))
                }
                fault => fault,
            })?;
        }
        this.client = ClientId::read(replies.nth(1), replies.next()).map(Arc::new);
        Ok(this)
    }

    /// Sends one command.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let mut replies = self.exchange(command.get_packed_command(), 1).await?;
        checked(resp::value(&replies.pop().unwrap_or_default())?)
    }

    /// Sends commands in one go; the replies hold what Redis refused.
    pub(super) async fn send(&self, commands: &Pipeline) -> Result<Vec<Value>, Fault> {
        let replies = self.send_for_bytes(commands).await?;
        replies.iter().map(|reply| resp::value(reply)).collect()
    }

    /// Sends one command, for the bytes of its reply.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Bytes, Fault> {
        let mut replies = self.exchange(command.get_packed_command(), 1).await?;
        Ok(replies.pop().unwrap_or_default())
    }

    /// Sends commands in one go; the replies are as they came.
    pub(super) async fn send_for_bytes(&self, commands: &Pipeline) -> Result<Vec<Bytes>, Fault> {
        self.exchange(commands.get_packed_pipeline(), commands.len())
            .await
    }

    /// Sends commands that are packed already, in one go; the replies are as they came.
    pub(super) async fn exchange(&self, packed: Vec<u8>, count: usize) -> Result<Vec<Bytes>, Fault> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let answered = tokio::time::timeout(self.reply_max, self.wire.send(packed, count)).await;
        match answered {
            Ok(answered) => answered.map_err(Fault::Lost),
            Err(_) => Err(Fault::Lost(format!(
                "it did not answer within {} s",
                self.reply_max.as_secs()
            ))),
        }
    }

    /// Makes sure that nothing more of an earlier connection is executed: what it sent may still lie in a buffer.
    pub(super) async fn end(&self, earlier: &ClientId) -> Result<(), Fault> {
        // A server that was started anew has forgotten it, and may have given its number to somebody else.
        if self
            .client
            .as_ref()
            .is_none_or(|own| own.run_id != earlier.run_id)
        {
            return Ok(());
        }
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(earlier.number);
        match self.call(&kill).await {
            Err(Fault::Lost(why)) => Err(Fault::Lost(why)),
            // Where it is forbidden, closing our end has to do.
            _ => Ok(()),
        }
    }
}

impl ClientId {
    fn read(id: Option<Value>, info: Option<Value>) -> Option<Self> {
        let Value::Int(number) = id? else { return None };
        let Value::BulkString(info) = info? else {
            return None;
        };
        let info = String::from_utf8_lossy(&info);
        let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:"))?;
        Some(Self {
            run_id: run_id.trim().to_owned(),
            number,
        })
    }
}
