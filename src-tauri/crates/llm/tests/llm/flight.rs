use chatstats_llm::{LlmPass, Settings};
use chatstats_passes::PassError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::fake_server::{Act, FakeServer};
use crate::setup::{Paper, pass_with, run, settings};

fn pass_of(server: &FakeServer, concurrency_max: u32) -> LlmPass {
    let many = Settings {
        concurrency_max,
        ..settings(server)
    };
    pass_with(many, &Paper::default(), &CancellationToken::new())
}

async fn run_many(pass: &LlmPass, count: usize) {
    let mut runs = JoinSet::new();
    for _ in 0..count {
        let pass = pass.clone();
        runs.spawn(async move { run(&pass).await });
    }
    for result in runs.join_all().await {
        result.expect("a result");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_calls_are_under_way_together() {
    // The server answers nobody before all are there: fewer at a time would hang.
    let server = FakeServer::start([Act::Gather(64)]).await;
    let pass = pass_of(&server, 64);
    run_many(&pass, 64).await;
    assert_eq!(server.most_at_a_time(), 64);
    assert_eq!((pass.status().calls, pass.status().errors), (64, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_calls_are_under_way_than_the_user_allows() {
    let server = FakeServer::start([Act::Gather(3)]).await;
    let pass = pass_of(&server, 3);
    run_many(&pass, 48).await;
    assert_eq!(server.most_at_a_time(), 3);
    assert_eq!(server.seen().len(), 48);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_few_at_a_time_answers_all_in_the_end() {
    let server = FakeServer::start([Act::AtMost(8)]).await;
    let pass = pass_of(&server, 64);
    let mut runs = JoinSet::new();
    for _ in 0..128 {
        let pass = pass.clone();
        runs.spawn(async move {
            // As the engine does: a try that was not now counts for nothing.
            loop {
                match run(&pass).await {
                    Err(PassError::NotNow { wait, .. }) => tokio::time::sleep(wait).await,
                    ended => return ended,
                }
            }
        });
    }
    for result in runs.join_all().await {
        result.expect("a result");
    }
    let status = pass.status();
    assert_eq!(status.today.calls, 128, "each conversation was answered once");
    assert!(status.errors > 0 && status.limit < 64, "{status:?}");
}
