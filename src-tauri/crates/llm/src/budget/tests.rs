use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// 2024-01-05T22:00:00Z.
const START_S: i64 = 1_704_492_000;
const HOUR_S: i64 = 3_600;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<LlmSpent>>>);

impl Ledger for Paper {
    fn read(&self) -> Option<LlmSpent> {
        self.0.lock().expect("not poisoned").last().copied()
    }

    fn write(&self, spent: &LlmSpent) {
        self.0.lock().expect("not poisoned").push(*spent);
    }
}

struct Setup {
    now_s: Arc<AtomicI64>,
    paper: Paper,
    settings: Settings,
}

impl Setup {
    fn new(settings: Settings) -> Setup {
        Setup {
            now_s: Arc::new(AtomicI64::new(START_S)),
            paper: Paper::default(),
            settings,
        }
    }

    fn tokens(most: u64) -> Setup {
        Setup::new(Settings {
            tokens_per_day: Some(most),
            ..Settings::default()
        })
    }

    fn start(&self) -> Budget {
        let now_s = self.now_s.clone();
        let now = move || Timestamp::from_seconds(now_s.load(Ordering::Relaxed)).expect("in range");
        Budget::new(
            self.settings.clone(),
            Box::new(self.paper.clone()),
            TimeZone::UTC,
            Arc::new(now),
        )
    }

    fn pass(&self, seconds: i64) {
        self.now_s.fetch_add(seconds, Ordering::Relaxed);
    }
}

const CALL: Tokens = Tokens {
    question: 600,
    answer: 400,
};

fn wait(budget: &Budget) -> Duration {
    match budget.set_aside(CALL).map(|_| ()).expect_err("no room") {
        Refusal::NotNow(_, wait) => wait,
        other => panic!("{other:?}"),
    }
}

fn spend(budget: &Budget) {
    budget.set_aside(CALL).expect("room").spend(CALL);
}

#[test]
fn a_budget_that_is_used_up_waits_for_midnight_and_begins_anew() {
    let setup = Setup::tokens(2_500);
    let budget = setup.start();
    spend(&budget);
    spend(&budget);
    assert_eq!(wait(&budget), Duration::from_secs(2 * 3_600));
    setup.pass(2 * HOUR_S);
    spend(&budget);
    assert_eq!(budget.spent().tokens_in, 600);
    assert_eq!(budget.spent().day.to_string(), "2024-01-06");
}

#[test]
fn a_restart_does_not_forget_what_the_day_has_taken() {
    let setup = Setup::tokens(2_500);
    spend(&setup.start());
    spend(&setup.start());
    assert_eq!(wait(&setup.start()), Duration::from_secs(2 * 3_600));
    assert_eq!(setup.start().spent().calls, 2);
}

#[test]
fn calls_under_way_cannot_overdraw_it_together() {
    let setup = Setup::tokens(2_500);
    let budget = setup.start();
    let first = budget.set_aside(CALL).expect("room");
    let second = budget.set_aside(CALL).expect("room");
    assert_eq!(wait(&budget), SET_ASIDE_WAIT);
    // The first took less than it might have, the second nothing.
    first.spend(Tokens {
        question: 100,
        answer: 50,
    });
    drop(second);
    spend(&budget);
    spend(&budget);
    assert_eq!(budget.spent().tokens_in + budget.spent().tokens_out, 2_150);
}

#[test]
fn money_is_counted_by_the_users_prices() {
    let setup = Setup::new(Settings {
        price_in: Some(2.0),
        price_out: Some(10.0),
        cost_per_day: Some(0.0104),
        ..Settings::default()
    });
    let budget = setup.start();
    spend(&budget);
    spend(&budget);
    assert!((budget.spent().cost - 0.0104).abs() < 1e-12);
    assert!(wait(&budget) > SET_ASIDE_WAIT);
}

#[test]
fn a_clock_that_is_set_back_gives_no_second_budget_and_a_wrong_one_does_not_block() {
    let setup = Setup::tokens(1_500);
    spend(&setup.start());
    setup.pass(-24 * HOUR_S);
    assert!(wait(&setup.start()) > SET_ASIDE_WAIT);
    setup.pass(-300 * 24 * HOUR_S);
    spend(&setup.start());
}
