//! Conversations a second with 1 to 64 calls under way, against a server that takes 200 ms for each answer.
//!
//! `cargo run --release -p chatstats-llm --example throughput`

#[path = "../tests/fake_server/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod fake_server;
#[path = "../tests/llm/setup.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod setup;

use std::time::{Duration, Instant};

use chatstats_llm::Settings;
use fake_server::{Act, FakeServer};
use tokio_util::sync::CancellationToken;

const LATENCY: Duration = Duration::from_millis(200);

/// Rounds of calls that each figure is taken over.
const ROUNDS: u32 = 10;

#[tokio::main(worker_threads = 2)]
async fn main() {
    println!("in flight   per second   of what the latency allows");
    for concurrency_max in [1, 2, 4, 8, 16, 32, 64] {
        let server = FakeServer::start([Act::After(LATENCY)]).await;
        let settings = Settings {
            concurrency_max,
            ..setup::settings(&server)
        };
        let pass = setup::pass_with(settings, &setup::Paper::default(), &CancellationToken::new());
        let began = Instant::now();
        let workers = (0..concurrency_max).map(|_| async {
            for _ in 0..ROUNDS {
                setup::run(&pass).await.expect("a result");
            }
        });
        futures_util::future::join_all(workers).await;
        let per_second = f64::from(concurrency_max * ROUNDS) / began.elapsed().as_secs_f64();
        let limit = f64::from(concurrency_max) / LATENCY.as_secs_f64();
        println!(
            "{concurrency_max:>9}   {per_second:>10.1}   {:>5.2}",
            per_second / limit
        );
    }
}
