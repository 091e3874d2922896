//! One connection, shared by all who ask over it: what is asked is answered in its order.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use redis::ConnectionAddr;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::resp::{Scan, Strange};

/// How much is read, and written, at once.
const PIECE_BYTES: usize = 128 << 10;

/// The largest reply. Redis' own limit for one string is 512 MB; pages are some MiB.
const REPLY_BYTES_MAX: usize = 1 << 30;

/// A connection. It ends with the value.
pub(super) struct Wire {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Vec<u8>>,
    tasks: [AbortHandle; 2],
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Why it is of no use any more.
    broken: Option<String>,
}

/// One who asked.
struct Waiting {
    /// Replies that are still to come.
    missing: usize,
    replies: Vec<Bytes>,
    answer: oneshot::Sender<Vec<Bytes>>,
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

impl Wire {
    /// Connects.
    pub(super) async fn open(address: &Address) -> io::Result<Self> {
        let socket: Box<dyn Socket> = match address.info.addr() {
            ConnectionAddr::Tcp(host, port) => Box::new(tcp(host, *port).await?),
            ConnectionAddr::TcpTls { host, port, .. } => {
                let config = address.tls.clone();
                let config = config.ok_or_else(|| io::Error::other("TLS was not set up"))?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let socket = tcp(host, *port).await?;
                Box::new(TlsConnector::from(config).connect(name, socket).await?)
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
            other => return Err(io::Error::other(format!("{other} cannot be reached from here"))),
        };
        let (reading, writing) = split(socket);
        let (commands, to_write) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let tasks = [
            tokio::spawn(read(reading, Arc::clone(&shared))).abort_handle(),
            tokio::spawn(write(writing, to_write, Arc::clone(&shared))).abort_handle(),
        ];
        Ok(Self {
            shared,
            commands,
            tasks,
        })
    }

    /// Sends commands, packed, at least one; the replies come in their order. Sent when this returns, answered when its future ends.
    ///
    /// # Errors
    ///
    /// The connection is broken: what was asked may have been done.
    pub(super) fn send(
        &self,
        packed: Vec<u8>,
        count: usize,
    ) -> impl Future<Output = Result<Vec<Bytes>, String>> + use<> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.shared.lock();
        if state.broken.is_none() && count > 0 {
            state.waiting.push_back(Waiting {
                missing: count,
                replies: Vec::with_capacity(count),
                answer,
            });
            // Under the lock: who waits stands in the order of what is sent. It is taken as long as this is not broken.
            let _taken = self.commands.send(packed);
        }
        drop(state);
        let shared = Arc::clone(&self.shared);
        async move {
            match answered.await {
                Ok(replies) => Ok(replies),
                Err(_) => Err(shared.lock().broken.clone().unwrap_or_default()),
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.break_off("it was closed".to_owned());
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All who wait hear of it.
    fn break_off(&self, why: String) {
        let mut state = self.lock();
        state.broken.get_or_insert(why);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }

    /// Hands a reply to whoever is next. False if nobody asked.
    fn answer(&self, reply: Bytes) -> bool {
        let mut state = self.lock();
        let Some(next) = state.waiting.front_mut() else {
            return false;
        };
        next.replies.push(reply);
        next.missing -= 1;
        if next.missing > 0 {
            return true;
        }
        let done = state.waiting.pop_front();
        drop(state);
        if let Some(done) = done {
            // Whoever asked may not want to know any more.
            let _ = done.answer.send(done.replies);
        }
        true
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).await?;
    // Entries are small and are waited for: Nagle's algorithm would hold them back.
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn write(
    mut socket: WriteHalf<Box<dyn Socket>>,
    mut commands: mpsc::UnboundedReceiver<Vec<u8>>,
    shared: Arc<Shared>,
) {
    while let Some(mut bytes) = commands.recv().await {
        // What was asked meanwhile goes with it.
        while bytes.len() < PIECE_BYTES {
            let Ok(more) = commands.try_recv() else { break };
            bytes.extend_from_slice(&more);
        }
        let written = match socket.write_all(&bytes).await {
            Ok(()) => socket.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            return shared.break_off(error.to_string());
        }
    }
}

async fn read(mut socket: ReadHalf<Box<dyn Socket>>, shared: Arc<Shared>) {
    let why = match read_on(&mut socket, &shared).await {
        Ok(()) => "it closed the connection".to_owned(),
        Err(error) => error.to_string(),
    };
    shared.break_off(why);
}

async fn read_on(socket: &mut ReadHalf<Box<dyn Socket>>, shared: &Shared) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    let mut scan = Scan::new();
    loop {
        bytes.reserve(PIECE_BYTES);
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        while let Some(end) = scan.end(&bytes).map_err(strange)? {
            if !shared.answer(bytes.split_to(end).freeze()) {
                return Err(strange(Strange));
            }
            scan = Scan::new();
        }
        if bytes.len() > REPLY_BYTES_MAX {
            return Err(io::Error::other("its reply is too large"));
        }
    }
}

fn strange(_: Strange) -> io::Error {
    io::Error::other("its reply is not understood")
}
