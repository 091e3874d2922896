//! Stands between the bus and a server, and plays it a trick when it publishes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// What takes longer than this never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happens to the next batch of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    /// It is written, and the reply is dropped with the connection.
    DropReply,
    /// It is written, and half of the reply comes through before the connection is cut.
    CutReply,
    /// Half of it comes through before the connection is cut.
    CutRequest,
    /// It is held back while the connection is cut towards the bus, and sent on when the proxy is released.
    DelayRequest,
    /// It is written, and the connection is dropped with the reply when the proxy is released.
    HoldReply,
}

/// A proxy, until it is dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    next: Mutex<Option<Trick>>,
    played: watch::Sender<usize>,
    released: Notify,
}

impl Proxy {
    pub(crate) async fn before(server: &super::Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared::default());
        let (behind, told) = (server.port(), Arc::clone(&shared));
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, behind, Arc::clone(&told)));
            }
        });
        Self {
            port,
            shared,
            listening,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Plays a trick on the next batch.
    pub(crate) fn play(&self, trick: Trick) {
        *self.shared.next.lock().expect("no panic") = Some(trick);
    }

    /// Waits until so many tricks were played.
    pub(crate) async fn played(&self, count: usize) {
        let mut played = self.shared.played.subscribe();
        tokio::time::timeout(PATIENCE, played.wait_for(|played| *played >= count))
            .await
            .expect("in time")
            .expect("the sender lives");
    }

    /// Lets go of what is held back.
    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass(client: TcpStream, behind: u16, shared: Arc<Shared>) {
    // A server that is down is a connection that ends.
    let Ok(server) = TcpStream::connect(("127.0.0.1", behind)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (playing, played) = watch::channel(None);
    let requests = requests(from_client, to_server, &shared, playing);
    let replies = replies(from_server, to_client, &shared, played);
    // Whichever ends, ends the other; the sockets close with them.
    tokio::select! {
        () = requests => {}
        () = replies => {}
    }
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: &Shared,
    playing: watch::Sender<Option<Trick>>,
) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(len @ 1..) = client.read(&mut buffer).await {
        let mut request = &buffer[..len];
        let is_batch = request.windows(4).any(|word| word == b"XADD");
        let trick = is_batch
            .then(|| shared.next.lock().expect("no panic").take())
            .flatten();
        if let Some(trick) = trick {
            playing.send_replace(Some(trick));
            match trick {
                Trick::CutRequest => request = &request[..len / 2],
                Trick::DelayRequest => {
                    shared.played.send_modify(|played| *played += 1);
                    shared.released.notified().await;
                }
                _ => {}
            }
        }
        if server.write_all(request).await.is_err() || trick == Some(Trick::DelayRequest) {
            return;
        }
        if trick == Some(Trick::CutRequest) {
            shared.played.send_modify(|played| *played += 1);
            return;
        }
    }
}

async fn replies(
    mut server: OwnedReadHalf,
    client: OwnedWriteHalf,
    shared: &Shared,
    mut playing: watch::Receiver<Option<Trick>>,
) {
    let mut client = Some(client);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let len = tokio::select! {
            read = server.read(&mut buffer) => match read {
                Ok(len @ 1..) => len,
                _ => return,
            },
            changed = playing.changed() => {
                if changed.is_err() {
                    return;
                }
                if *playing.borrow() == Some(Trick::DelayRequest) {
                    client = None; // Closed towards the bus, and not towards the server.
                }
                continue;
            }
        };
        let trick = *playing.borrow();
        let reply = match trick {
            Some(Trick::CutReply) => &buffer[..len / 2],
            Some(Trick::DropReply | Trick::HoldReply) => &[],
            _ => &buffer[..len],
        };
        if let Some(client) = &mut client
            && client.write_all(reply).await.is_err()
        {
            return;
        }
        if let Some(Trick::CutReply | Trick::DropReply | Trick::HoldReply) = trick {
            shared.played.send_modify(|played| *played += 1);
            if trick == Some(Trick::HoldReply) {
                shared.released.notified().await;
            }
            return;
        }
    }
}
