use std::time::{Duration, Instant};

use chatstats_llm::{Secret, Settings};
use chatstats_passes::PassError;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::fake_server::{Act, FakeServer, good_answer};
use crate::setup::{Paper, not_now, pass, pass_with, permanent, run, settings, transient};

fn refuse(status: u16) -> Act {
    Act::Refuse(
        status,
        Vec::new(),
        json!({"error": {"message": "so it is"}}).to_string(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_that_names_a_time_is_left_alone_by_all() {
    let headers = vec![("retry-after", "40".to_owned())];
    let server = FakeServer::start([Act::Refuse(429, headers, String::new())]).await;
    let pass = pass(&server);
    let (error, wait) = not_now(run(&pass).await);
    assert!(error.contains("429"), "{error}");
    assert_eq!(wait, Duration::from_secs(40));
    let (_, wait) = not_now(run(&pass).await);
    assert!(
        wait <= Duration::from_secs(40) && wait > Duration::from_secs(20),
        "{wait:?}"
    );
    assert_eq!(server.seen().len(), 1, "the second run asks nothing");
    let status = pass.status();
    assert_eq!((status.limit, status.errors), (2, 1));
    assert!(status.pause.expect("a pause").why.contains("429"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_that_names_no_time_gets_a_second_and_is_asked_again() {
    for status in [429, 503] {
        let server = FakeServer::start([refuse(status), Act::Say(good_answer())]).await;
        let pass = pass(&server);
        let (_, wait) = not_now(run(&pass).await);
        assert_eq!(wait, Duration::from_secs(1));
        tokio::time::sleep(wait).await;
        run(&pass).await.expect("a result");
        assert_eq!(pass.status().pause, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_costs_no_try() {
    // A port that somebody has, who does not listen.
    let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
    taken
        .bind((std::net::Ipv4Addr::LOCALHOST, 0).into())
        .expect("a free port");
    let base_url = format!("http://{}/v1", taken.local_addr().expect("an address"));
    let server = FakeServer::start([]).await;
    let away = Settings {
        base_url,
        ..settings(&server)
    };
    let pass = pass_with(away, &Paper::default(), &CancellationToken::new());
    let (error, wait) = not_now(run(&pass).await);
    assert!(
        error.contains("cannot be reached") && error.contains("refused"),
        "{error}"
    );
    assert_eq!(wait, Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_given_up_in_time_and_less_is_asked_at_a_time() {
    let server = FakeServer::start([Act::Hang]).await;
    let hasty = Settings {
        timeout_s: 1,
        ..settings(&server)
    };
    let paper = Paper::default();
    let pass = pass_with(hasty.clone(), &paper, &CancellationToken::new());
    let began = Instant::now();
    let error = transient(run(&pass).await);
    assert!(error.contains("no answer within 1 s"), "{error}");
    assert!(began.elapsed() >= hasty.run_time_max());
    assert_eq!(pass.status().limit, 2);
    let spent = paper.0.lock().expect("not poisoned").expect("spent");
    assert!(
        spent.tokens_in > 100 && spent.tokens_out == 0,
        "the question counts: {spent:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_gone_next_time_is_tried_again() {
    for (act, wanted) in [
        (refuse(500), "500"),
        (refuse(502), "502"),
        (Act::CutOff, "cut off"),
        (Act::Raw("<html>".into()), "cannot be read"),
        (
            Act::Raw(json!({"error": {"message": "overloaded"}}).to_string()),
            "overloaded",
        ),
        (Act::Raw("x".repeat(5 << 20)), "longer than 4 MiB"),
    ] {
        let server = FakeServer::start([act]).await;
        let error = transient(run(&pass(&server)).await);
        assert!(error.contains(wanted), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_be_the_same_next_time_says_what_to_do() {
    let moved = Act::Refuse(
        307,
        vec![("location", "http://127.0.0.1:9/".to_owned())],
        String::new(),
    );
    for (act, wanted) in [
        (refuse(401), "check api_key"),
        (refuse(403), "check api_key"),
        (refuse(404), "check base_url"),
        (refuse(400), "so it is"),
        (moved, "set base_url"),
    ] {
        let server = FakeServer::start([act]).await;
        let error = permanent(run(&pass(&server)).await);
        assert!(error.contains(wanted), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_nobody_in_fails_one_conversation_and_not_all() {
    let server = FakeServer::start(std::iter::repeat_with(|| refuse(404)).take(9)).await;
    let pass = pass(&server);
    // One, and where the machine stalls until the pause is over, another, after which the pause is longer.
    let mut failed = 0;
    let refused = loop {
        match run(&pass).await {
            Err(PassError::Permanent(_)) => failed += 1,
            refused => break refused,
        }
    };
    let (error, wait) = not_now(refused);
    assert!(error.contains("check base_url"), "{error}");
    assert!(failed > 0 && wait <= Duration::from_secs(1 << (failed - 1)));
    assert_eq!(server.seen().len(), failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_repeats_the_key_does_not_get_it_into_an_error() {
    let said = json!({"error": {"message": "Incorrect API key provided: sk-secret"}}).to_string();
    let server = FakeServer::start([Act::Refuse(401, Vec::new(), said)]).await;
    let with_key = Settings {
        api_key: Some(Secret::new("sk-secret".into())),
        ..settings(&server)
    };
    let pass = pass_with(with_key.clone(), &Paper::default(), &CancellationToken::new());
    let error = permanent(run(&pass).await);
    let status = format!("{:?} {pass:?} {with_key:?}", pass.status());
    assert!(error.contains("Incorrect API key provided: …"), "{error}");
    assert!(
        !error.contains("sk-secret") && !status.contains("sk-secret"),
        "{status}"
    );
}
