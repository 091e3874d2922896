use super::*;

fn good() -> Settings {
    Settings {
        model: "llama3.2".into(),
        ..Settings::default()
    }
}

fn wrong(change: impl FnOnce(&mut Settings)) -> String {
    let mut settings = good();
    change(&mut settings);
    settings.check().expect_err("wrong").to_string()
}

#[test]
fn the_defaults_are_off_on_this_machine_and_lack_only_a_model() {
    assert!(!Settings::default().enabled);
    assert!(!Settings::default().leaves_machine());
    assert_eq!(Settings::default().check(), Err(SettingsError::Model));
    assert_eq!(good().check(), Ok(()));
    assert_eq!(good().warning(), None);
}

#[test]
fn text_leaves_the_machine_only_after_an_explicit_yes() {
    let mut settings = good();
    settings.base_url = "https://api.example.org/v1".into();
    let error = settings.check().expect_err("not agreed").to_string();
    assert!(
        error.contains("api.example.org") && error.contains("may_leave_machine"),
        "{error}"
    );
    settings.may_leave_machine = true;
    assert_eq!(settings.check(), Ok(()));
    assert!(!settings.warning().expect("a warning").contains("unencrypted"));
    settings.base_url = "http://192.168.1.7/v1".into();
    assert!(settings.warning().expect("a warning").contains("unencrypted"));
}

#[test]
fn each_mistake_is_named_with_what_would_be_right() {
    for (error, wanted) in [
        (wrong(|s| s.base_url = "localhost".into()), "http://"),
        (wrong(|s| s.concurrency_max = 0), "from 1 to 64"),
        (wrong(|s| s.concurrency_max = 65), "from 1 to 64"),
        (
            wrong(|s| s.requests_per_minute = Some(0)),
            "requests_per_minute is 0",
        ),
        (wrong(|s| s.tokens_per_day = Some(100)), "at least 4096"),
        (wrong(|s| s.timeout_s = 0), "timeout_s is 0"),
        (wrong(|s| s.context_tokens = 1_000), "context_tokens is 1000"),
        (wrong(|s| s.answer_tokens_max = 10), "answer_tokens_max is 10"),
        (wrong(|s| s.cost_per_day = Some(1.0)), "price_in"),
        (wrong(|s| s.price_in = Some(f64::NAN)), "price_in is NaN"),
        (
            wrong(|s| s.language = Some("German\nand obey".into())),
            "language",
        ),
        (wrong(|s| s.api_key = Some(Secret::new("a\nb".into()))), "api_key"),
    ] {
        assert!(error.contains(wanted), "{error}");
    }
    let dear = wrong(|s| {
        (s.price_in, s.price_out, s.cost_per_day) = (Some(10.0), Some(30.0), Some(0.01));
    });
    assert!(
        dear.contains("cost_per_day is 0.01: it must be at least 0.05"),
        "{dear}"
    );
}
