//! Accepting connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{self, Ending};
use crate::error::StartError;
use crate::site::Site;

/// Connections at a time. Each open stream is one; more wait until one of these ends.
const CONNECTIONS_MAX: usize = 16_384;

/// Connections that the operating system holds ready: a thousand clients that come back at once after a restart
/// must not be turned away. (The system may allow fewer.)
const BACKLOG: i32 = 4_096;

/// How long to wait before accepting again when the process has no descriptor left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// How long requests in progress may take to finish when the program ends. It promises to be gone within a second,
/// and closing the database takes its part of that, on a busy machine a large one.
const FINISH_GRACE: Duration = Duration::from_millis(300);

/// Takes the port. Clients that connect from now on wait until [`accept`] runs.
pub(crate) fn bind(addr: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = || {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        // On Unix this lets a restart take its port back at once; on Windows it would let anybody steal it.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from(socket))
    };
    bound().map_err(|source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken { addr },
        _ => StartError::Listen { addr, source },
    })
}

/// Serves connections until `shutdown`, then lets those in progress finish, for a moment.
pub(crate) async fn accept(
    listener: TcpListener,
    site: Arc<Site>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = Connections {
        site,
        ending: Ending::default(),
        kill: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = next(&listener, &room) => connections.serve(accepted),
        }
    }
    drop(listener);
    connections.finish().await;
    Ok(())
}

/// The next connection, and its place among [`CONNECTIONS_MAX`].
async fn next(
    listener: &tokio::net::TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Never closed, so there is always a permit in the end.
    let place = room.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, place),
            // A client that left before it was accepted is no news.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted for the moment");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// The connections in progress, and what ends them.
struct Connections {
    site: Arc<Site>,
    /// Asks them to end.
    ending: Ending,
    /// Ends them.
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl Connections {
    fn serve(&self, (socket, place): (TcpStream, Option<OwnedSemaphorePermit>)) {
        // An event is a small packet that must not wait for the next.
        let _ = socket.set_nodelay(true);
        let (site, ending, kill) = (self.site.clone(), self.ending.clone(), self.kill.clone());
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            let served = connection::serve(socket, site, &ending);
            let taken_over = kill.run_until_cancelled(served).await.flatten();
            if let Some((socket, response)) = taken_over {
                // A task of its own: this one has room for all of hyper, and a stream lives long.
                tasks.spawn(async move {
                    let _place = place;
                    // It ends by itself when the program does, whatever its client does.
                    connection::stream(socket, response, ending).await;
                });
            }
        });
    }

    async fn finish(self) {
        self.ending.begin();
        self.tasks.close();
        if tokio::time::timeout(FINISH_GRACE, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::info!(connections = self.tasks.len(), "some requests were cut short");
            self.kill.cancel();
            self.tasks.wait().await;
        }
    }
}
