use super::*;

fn wait(refused: Result<Turn<'_>, Refusal>) -> Duration {
    match refused.map(|_| ()).expect_err("refused") {
        Refusal::NotNow(_, wait) => wait,
        other => panic!("{other:?}"),
    }
}

async fn enter_all(gate: &Gate, count: usize) -> Vec<Turn<'_>> {
    let mut turns = Vec::new();
    for _ in 0..count {
        turns.push(gate.enter().await.expect("there is room"));
    }
    turns
}

#[tokio::test(start_paused = true)]
async fn no_more_are_under_way_than_may_be() {
    let gate = Gate::new(2, None);
    let turns = enter_all(&gate, 2).await;
    assert_eq!(wait(gate.enter().await), TURN_WAIT_MAX);
    drop(turns);
    assert_eq!(gate.in_flight(), 0);
    enter_all(&gate, 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_halved_once_for_all_calls_of_a_round_and_grows_by_one_a_round() {
    let gate = Gate::new(64, None);
    let turns = enter_all(&gate, 64).await;
    for turn in &turns {
        turn.was_late();
    }
    assert_eq!(gate.limit(), 32);
    drop(turns);
    for limit in 33..40 {
        let turns = enter_all(&gate, gate.limit()).await;
        turns.iter().for_each(Turn::answered);
        // One answer of the old round may be missing for the whole one: 1/32 + … + 1/33 is a little less than 1.
        turns[0].answered();
        drop(turns);
        assert_eq!(gate.limit(), limit);
    }
}

#[tokio::test(start_paused = true)]
async fn permits_follow_the_limit_however_it_moves_while_calls_are_under_way() {
    let gate = Gate::new(8, None);
    let turns = enter_all(&gate, 8).await;
    turns[0].was_late();
    assert_eq!(gate.limit(), 4);
    let later = {
        drop(turns);
        enter_all(&gate, 4).await
    };
    assert_eq!(wait(gate.enter().await), TURN_WAIT_MAX);
    later[0].was_late();
    later[1].was_late();
    assert_eq!(gate.limit(), 2);
    for _ in 0..40 {
        later[0].answered();
    }
    assert_eq!(
        gate.limit(),
        5,
        "four are under way: one more may be tried, not two"
    );
    drop(later);
    let _turns = enter_all(&gate, 5).await;
    assert_eq!(wait(gate.enter().await), TURN_WAIT_MAX);
}

#[tokio::test(start_paused = true)]
async fn the_limit_does_not_grow_while_it_is_not_used() {
    let gate = Gate::new(8, None);
    gate.enter().await.expect("room").was_late();
    assert_eq!(gate.limit(), 4);
    for _ in 0..100 {
        gate.enter().await.expect("room").answered();
    }
    assert_eq!(gate.limit(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_a_time_is_left_alone_for_as_long() {
    let gate = Gate::new(4, None);
    let turns = enter_all(&gate, 2).await;
    let asked = Duration::from_secs(30);
    assert_eq!(turns[0].was_refused("busy", Some(asked)), asked);
    assert_eq!(turns[1].was_refused("busy", Some(Duration::from_secs(5))), asked);
    drop(turns);
    assert_eq!(wait(gate.enter().await), asked);
    assert_eq!(gate.pause().expect("a pause").seconds, 30);
    tokio::time::advance(asked).await;
    assert_eq!(gate.pause(), None);
    gate.enter().await.expect("the pause is over");
    let turn = gate.enter().await.expect("room");
    let month = Duration::from_secs(30 * 86_400);
    assert_eq!(turn.was_refused("busy", Some(month)), PAUSE_ASKED_MAX);
}

#[tokio::test(start_paused = true)]
async fn waits_double_up_to_a_bound_and_begin_anew_after_an_answer() {
    let gate = Gate::new(4, None);
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let turn = gate.enter().await.expect("the pause is over");
        let wait = turn.was_refused("away", None);
        assert_eq!(wait, Duration::from_secs(seconds));
        tokio::time::advance(wait).await;
    }
    assert_eq!(gate.limit(), 1);
    gate.enter().await.expect("room").answered();
    let turn = gate.enter().await.expect("room");
    assert_eq!(turn.was_refused("away", None), PAUSE_FIRST);
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_round_that_fail_together_double_the_wait_once() {
    let gate = Gate::new(4, None);
    let turns = enter_all(&gate, 4).await;
    for turn in &turns {
        assert_eq!(turn.was_refused("away", None), PAUSE_FIRST);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_turn_hears_of_a_pause() {
    let gate = Gate::new(1, None);
    let turn = gate.enter().await.expect("room");
    let waiting = gate.enter();
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err());
    turn.was_refused("busy", Some(Duration::from_secs(30)));
    drop(turn);
    assert_eq!(wait(waiting.await), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn calls_are_spread_over_the_minute_and_those_too_far_off_are_sent_away() {
    let gate = Gate::new(64, Some(30));
    let start = Instant::now();
    for turn in 0..4 {
        gate.enter().await.expect("room");
        assert_eq!(start.elapsed(), Duration::from_secs(2 * turn));
    }
    let (mut entered, mut sent_away) = (0, 0);
    let all: Vec<_> = (0..20).map(|_| gate.enter()).collect();
    for result in futures_util::future::join_all(all).await {
        match result {
            Ok(_) => entered += 1,
            Err(_) => sent_away += 1,
        }
    }
    assert_eq!(
        (entered, sent_away),
        (5, 15),
        "five fit into the ten seconds that one may wait"
    );
}
