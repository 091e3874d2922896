use std::time::Duration;

use chatstats_llm::Settings;
use tokio_util::sync::CancellationToken;

use crate::fake_server::{Act, FakeServer, good_answer};
use crate::setup::{Paper, conversation, message, not_now, pass_with, run, run_on, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_days_budget_ends_the_asking_until_midnight_also_after_a_restart() {
    let server = FakeServer::start([Act::Say(good_answer())]).await;
    // Each call takes 790 by the server's count and is expected to take more.
    let thrifty = Settings {
        tokens_per_day: Some(4_096),
        ..settings(&server)
    };
    let (paper, shutdown) = (Paper::default(), CancellationToken::new());
    let pass = pass_with(thrifty.clone(), &paper, &shutdown);
    let mut answered = 0;
    let refused = loop {
        match run(&pass).await {
            Ok(_) => answered += 1,
            refused => break refused,
        }
    };
    let (error, wait) = not_now(refused);
    assert!(
        error.contains("4096 tokens") && error.contains("tomorrow"),
        "{error}"
    );
    assert_eq!(wait, Duration::from_secs(2 * 3_600));
    let spent = paper.0.lock().expect("not poisoned").expect("spent");
    assert_eq!(
        (spent.calls, spent.tokens_in, spent.tokens_out),
        (answered, 700 * answered, 90 * answered)
    );
    assert!(
        answered >= 2 && spent.tokens_in + spent.tokens_out <= 4_096,
        "{spent:?}"
    );
    not_now(run(&pass_with(thrifty, &paper, &shutdown)).await);
    assert_eq!(server.seen().len() as u64, answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_count_is_counted_for() {
    let server = FakeServer::start([Act::SayUncounted(good_answer())]).await;
    let paper = Paper::default();
    let priced = Settings {
        price_in: Some(1.0),
        price_out: Some(1.0),
        ..settings(&server)
    };
    run(&pass_with(priced, &paper, &CancellationToken::new()))
        .await
        .expect("a result");
    let spent = paper.0.lock().expect("not poisoned").expect("spent");
    assert!((500..2_000).contains(&spent.tokens_in), "{spent:?}");
    assert!((40..200).contains(&spent.tokens_out), "{spent:?}");
    let cost = (spent.tokens_in + spent.tokens_out) as f64 / 1e6;
    assert!((spent.cost - cost).abs() < 1e-12, "{spent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_conversation_is_asked_about_within_what_the_model_takes() {
    let server = FakeServer::start([Act::SayUncounted(good_answer())]).await;
    let (paper, settings) = (Paper::default(), settings(&server));
    let pass = pass_with(settings.clone(), &paper, &CancellationToken::new());
    let long = (0..3_000)
        .map(|index| message(index, "so many words, and none too few"))
        .collect();
    let result = run_on(&pass, long).await.expect("a result");
    assert!(result.messages_left_out > 2_000, "{result:?}");
    let spent = paper.0.lock().expect("not poisoned").expect("spent");
    let room = u64::from(settings.context_tokens - settings.answer_tokens_max);
    assert!(
        spent.tokens_in <= room && spent.tokens_in > room / 2,
        "{spent:?} of {room}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_once_more_stays_within_what_the_model_takes_however_long_the_answer_was() {
    let long = format!("{{\"{}\": 1}}", "never ending ".repeat(5_000));
    let server = FakeServer::start([Act::SayUncounted(long), Act::Hang]).await;
    let (paper, shutdown) = (Paper::default(), CancellationToken::new());
    let settings = settings(&server);
    let pass = pass_with(settings.clone(), &paper, &shutdown);
    let messages = (0..3_000)
        .map(|index| message(index, "so many words, and none too few"))
        .collect();
    let running = tokio::spawn(async move { run_on(&pass, messages).await });
    while server.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    not_now(running.await.expect("it does not panic"));
    let asked = server.seen()[1].1["messages"]
        .as_array()
        .expect("messages")
        .clone();
    let characters: usize = asked
        .iter()
        .map(|said| said["content"].as_str().expect("text").len())
        .sum();
    let room = (settings.context_tokens - settings.answer_tokens_max) as usize;
    assert!(characters <= 3 * room, "{characters} characters, {room} tokens");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_program_ends_a_call_under_way() {
    let server = FakeServer::start([Act::Hang]).await;
    let shutdown = CancellationToken::new();
    let pass = pass_with(settings(&server), &Paper::default(), &shutdown);
    let running = tokio::spawn({
        let pass = pass.clone();
        async move { run_on(&pass, conversation()).await }
    });
    server.gathered(1).await;
    shutdown.cancel();
    let (error, _) = not_now(running.await.expect("it does not panic"));
    assert!(error.contains("closed"), "{error}");
    assert_eq!(pass.status().in_flight, 0);
}
