//! The reader of answers to a queue of work.

use std::time::Duration;

use chatstats_bus::{Fields, NewId, StreamId, StreamKey};

use crate::contract::soon;
use crate::promises::open;
use crate::servers::{Kind, Server, Setup};

const KEPT: u64 = 100_000;

/// How long the reader waits where nothing is to come.
const WAIT: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_read_in_their_order_and_anew_where_the_stream_was_lost() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(Setup::new(kind)).await;
        let bus = open(&server, KEPT).await;
        let key = |name| StreamKey::new(name).expect("a name");
        let answers = key("answers");
        let queue = bus.work_queue(&key("tasks"), "workers").expect("of Redis");
        let add = async |ids: std::ops::RangeInclusive<u64>| {
            for n in ids {
                let fields = Fields::new([("n", n.to_string())]).expect("small");
                let id = NewId::At(StreamId::new(n, 0));
                let added = bus.add(&answers, id, fields).expect("room");
                soon(added).await.expect("written");
            }
        };
        add(1..=5).await;
        let after = StreamId::new(2, 0);
        let mut reader = soon(queue.answers(&answers, after, WAIT)).await.expect("opened");
        let mut next = async |count| {
            let entries = soon(reader.next(count)).await.expect("read");
            entries.iter().map(|entry| entry.id.ms).collect::<Vec<_>>()
        };
        assert_eq!(next(2).await, [3, 4]);
        assert_eq!(next(2).await, [5]);
        assert_eq!(next(2).await, [0; 0]);
        // What is trimmed is no matter.
        add(6..=8).await;
        let trimmed: String = server.ask(&["XTRIM", "answers", "MINID", "8"]).await;
        assert_eq!(trimmed, "7");
        assert_eq!(next(10).await, [8]);
        // Emptied, by somebody whose clock goes behind: seen once nothing comes.
        let deleted: String = server.ask(&["DEL", "answers"]).await;
        assert_eq!(deleted, "1");
        add(4..=5).await;
        assert_eq!(next(10).await, [0; 0]);
        assert_eq!(next(10).await, [4, 5]);
        // And by one who did not see it.
        let after = StreamId::new(8, 0);
        let mut reader = soon(queue.answers(&answers, after, WAIT)).await.expect("opened");
        assert_eq!(soon(reader.next(1)).await.expect("read").len(), 1);
        bus.shutdown().await;
    }
}
