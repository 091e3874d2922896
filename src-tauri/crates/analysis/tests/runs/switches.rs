//! Passes that are switched off and on while the program runs.

use chatstats_analysis::AnalysisError;
use chatstats_model::ConversationId;
use chatstats_passes::{Input, Pass, PassError};

use crate::passes::{Does, told};
use crate::world::{World, everything, get, is};

/// A pass that needs another.
struct Needy;

impl Pass for Needy {
    fn name(&self) -> &'static str {
        "needy"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "Needs another."
    }

    fn needs(&self) -> &'static [&'static str] {
        &["a"]
    }

    fn run(&self, _input: &Input<'_>) -> Result<String, PassError> {
        Ok("{}".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_does_not_run_and_a_run_after_it_is_on_again_fills_just_what_is_missing() {
    let world = World::with(5).await;
    let mut events = world.listen().await;
    let (a, b) = (told("a", |_, _| Does::Well), told("b", |_, _| Does::Well));
    let analysis = world.start("one", &[a, b]).await;
    let info = analysis.switch("b", false).await.expect("switched");
    assert!(!info.enabled);
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.total, 5);
    assert_eq!((a.all_tries(), b.all_tries()), (5, 0));
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.total, 0, "all is there");

    analysis.switch("b", true).await.expect("switched");
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.total, 5);
    assert_eq!((a.all_tries(), b.all_tries()), (5, 5));

    // Conversations that came while it was off, and no others.
    analysis.switch("b", false).await.expect("switched");
    world.add("room", 6..=8).await;
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.total, 3);
    analysis.switch("b", true).await.expect("switched");
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.total, 3);
    assert_eq!((a.all_tries(), b.all_tries()), (8, 8));
    // And what was found is current for whatever set is switched on.
    analysis.switch("a", false).await.expect("switched");
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(world.ended(&mut events, run.id).await.total, 0);
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_outlasts_a_restart_and_a_run_under_way_keeps_its_passes() {
    let world = World::with(40).await;
    let mut events = world.listen().await;
    let a = told(
        "a",
        |_, attempt| if attempt == 1 { Does::Hang } else { Does::Well },
    );
    let b = told("b", |_, _| Does::Well);
    let analysis = world
        .start_with("one", &[a, b], |settings| settings.workers = 1)
        .await;
    let run = analysis.run(everything()).await.expect("accepted");
    events.until(|event| is(event, "run_seeded", run.id)).await;
    while a.all_tries() == 0 {
        tokio::task::yield_now().await;
    }
    analysis.switch("b", false).await.expect("switched");
    a.release();
    assert_eq!(world.ended(&mut events, run.id).await.success, 40);
    assert_eq!(b.all_tries(), 40);
    analysis.shutdown().await;

    world.add("room", 41..=43).await;
    let analysis = world.start("two", &[a, b]).await;
    let run = analysis.run(everything()).await.expect("accepted");
    assert_eq!(run.passes, ["a"]);
    assert_eq!(world.ended(&mut events, run.id).await.total, 3);
    assert_eq!(b.all_tries(), 40);
    let results = results(&world, world.sealed().await[20]).await;
    assert_eq!(results, ["a", "b"], "what was found stays");
    analysis.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_would_leave_a_pass_without_what_it_needs_is_refused_with_its_reason() {
    let world = World::with(1).await;
    let (a, off) = (told("a", |_, _| Does::Well), told("off", |_, _| Does::Well));
    let analysis = world
        .start_with("one", &[a, &Needy, off], |settings| {
            settings.passes_off = vec!["off".to_owned()]
        })
        .await;
    let refused = async |name: &str, enabled| analysis.switch(name, enabled).await.expect_err("refused");
    assert!(matches!(
        refused("nonsense", false).await,
        AnalysisError::Missing(_)
    ));
    assert!(matches!(
        refused("off", true).await,
        AnalysisError::OffBySettings("off")
    ));
    assert!(refused("a", false).await.to_string().contains("needed by needy"));
    analysis.switch("needy", false).await.expect("switched");
    analysis
        .switch("a", false)
        .await
        .expect("nobody needs it any more");
    assert!(refused("needy", true).await.to_string().contains("without a"));
    let passes = analysis.passes().await.expect("read");
    let state: Vec<_> = passes
        .iter()
        .map(|pass| (pass.name.as_str(), pass.enabled, pass.off_in_config))
        .collect();
    assert_eq!(
        state,
        [("a", false, false), ("needy", false, false), ("off", false, true)]
    );
    // With every switch off there is nothing to run, and a run ends at once.
    let mut events = world.listen().await;
    let run = analysis.run(everything()).await.expect("accepted");
    let seen = events.until(|event| is(event, "run_complete", run.id)).await;
    assert_eq!(seen.last().and_then(|event| get(event, "total")), Some("0"));
    analysis.shutdown().await;
}

async fn results(world: &World, id: ConversationId) -> Vec<String> {
    let results = world.store.read(move |reader| reader.results(id)).await;
    results
        .expect("read")
        .into_iter()
        .map(|result| result.pass)
        .collect()
}
