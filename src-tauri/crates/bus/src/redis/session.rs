//! One connection, made and greeted.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, Value, cmd};

use super::address::Address;
use super::fault::{Fault, checked};

/// How long a connection may take, with TLS and password: a person may be waiting for the answer that Redis is away.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// What `CLIENT LIST` shows of us.
const CLIENT_NAME: &str = "chatstats-bus";

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) struct Session {
    conn: MultiplexedConnection,
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
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(reply_max));
        let conn = address
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut this = Self { conn, client: None };
        let mut greeting = Pipeline::new();
        greeting.cmd("PING");
        greeting.cmd("CLIENT").arg("SETNAME").arg(CLIENT_NAME);
        greeting.cmd("CLIENT").arg("ID");
        greeting.cmd("INFO").arg("server");
        let mut replies = this.send(&greeting).await?.into_iter();
        // One that is loading its data or wants a password says so here. The rest may be forbidden to us.
        checked(replies.next().unwrap_or_default())?;
        this.client = ClientId::read(replies.nth(1), replies.next()).map(Arc::new);
        Ok(this)
    }

    /// Sends one command.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        checked(self.conn.clone().send_packed_command(command).await?)
    }

    /// Sends commands in one go; the replies hold what Redis refused.
    pub(super) async fn send(&self, commands: &Pipeline) -> Result<Vec<Value>, Fault> {
        let count = commands.len();
        let replies = self.conn.clone().send_packed_commands(commands, 0, count).await?;
        if replies.len() != count {
            return Err(Fault::Lost(format!(
                "{} replies to {count} commands",
                replies.len()
            )));
        }
        Ok(replies)
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
