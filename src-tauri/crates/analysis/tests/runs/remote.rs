//! Workers elsewhere, over a real Redis.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chatstats_analysis::{Analysis, Settings, WorkerSettings, work};
use chatstats_bus::{ENTRY_BYTES_MAX, StreamKey, Takers};
use chatstats_model::{RunKind, Timestamp};
use chatstats_passes::Pass;
use chatstats_store::{ATTEMPTS_MAX, Lane, NewRun, TaskLane};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::passes::{Does, told};
use crate::world::{World, everything, is, of_kind, redis};

/// A Redis of one test. Ends with it.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        loop {
            let port = free_port();
            if let Some(child) = spawn(port, folder.path()) {
                return Self { child, port, folder };
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Ends it without warning, and starts it again: on what was written, or on nothing.
    fn kill_and_start(&mut self, with_data: bool) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        if !with_data {
            std::fs::remove_dir_all(self.folder.path().join("appendonlydir")).expect("emptied");
        }
        self.child = spawn(self.port, self.folder.path()).expect("it gets its port again");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// None if somebody else took the port meanwhile.
fn spawn(port: u16, folder: &std::path::Path) -> Option<Child> {
    let program = std::env::var_os("CHATSTATS_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
    let mut child = Command::new(program)
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
        ])
        // What the system has survives a kill, and a slow disk keeps nobody waiting.
        .args(["--appendfsync", "no", "--daemonize", "no", "--dir"])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed: the tests need it");
    loop {
        if child.try_wait().expect("asked").is_some() {
            return None;
        }
        if answers(port, child.id()).unwrap_or(false) {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process of this number is who answers at a port.
fn answers(port: u16, process: u32) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut told = String::new();
    socket.read_to_string(&mut told)?;
    Ok(told.contains(&format!("process_id:{process}\r\n")))
}

pub(crate) async fn worker(
    url: &str,
    name: &str,
    passes: &[&'static dyn Pass],
    stop: &CancellationToken,
) -> JoinHandle<u64> {
    worker_with(url, name, passes, stop, |_| {}).await
}

/// A server that leaves all its tasks to workers.
pub(crate) async fn only_workers(world: &World, pass: &'static dyn Pass) -> Analysis {
    let none_here = |settings: &mut Settings| settings.workers = 0;
    world.start_with("one", &[pass], none_here).await
}

async fn end(world: &World, analysis: Analysis) {
    analysis.shutdown().await;
    world.bus.shutdown().await;
}

async fn worker_with(
    url: &str,
    name: &str,
    passes: &[&'static dyn Pass],
    stop: &CancellationToken,
    change: impl FnOnce(&mut WorkerSettings),
) -> JoinHandle<u64> {
    let bus = redis(url).await;
    let mut settings = WorkerSettings::new(name.to_owned());
    settings.at_once = 2;
    settings.machine = None;
    settings.passes = passes.to_vec();
    // What one has is another's only where a test says so: a machine may stall in the middle.
    settings.taken_over_after = Duration::from_secs(60);
    change(&mut settings);
    let stop = stop.clone();
    tokio::spawn(async move {
        let answered = work(bus.clone(), settings, stop).await.expect("worked");
        bus.shutdown().await;
        answered
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_elsewhere_do_all_there_is_when_there_is_nobody_here() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 200).await;
    let mut events = world.listen().await;
    let pass = told("a", |text, attempt| {
        if text == "first of 7" && attempt == 1 {
            Does::Panic
        } else {
            Does::Well
        }
    });
    let analysis = only_workers(&world, pass).await;
    let stop = CancellationToken::new();
    let workers = [
        worker(&redis.url(), "w1", &[pass], &stop).await,
        worker(&redis.url(), "w2", &[pass], &stop).await,
    ];
    let run = analysis.run(everything()).await.expect("accepted");
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (200, 200, 0));
    assert_eq!(pass.tries("first of 7"), 2);
    for conversation in world.sealed().await {
        let results = world
            .store
            .read(move |reader| reader.results(conversation))
            .await
            .expect("read");
        assert_eq!((results.len(), results[0].current), (1, true));
    }
    stop.cancel();
    let mut answered = 0;
    for worker in workers {
        answered += worker.await.expect("ended");
    }
    assert_eq!(answered, 201);
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_to_travel_fails_for_good_where_nobody_is_here_to_do_it() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 3).await;
    world
        .add_after("novelists", 0..2, &"x".repeat(ENTRY_BYTES_MAX / 3))
        .await;
    // Two of them are too large together, and not alone.
    world
        .add_after("writers", 0..3, &"x".repeat(ENTRY_BYTES_MAX / 6))
        .await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Well);
    let analysis = only_workers(&world, pass).await;
    let stop = CancellationToken::new();
    let worker = worker(&redis.url(), "w1", &[pass], &stop).await;
    let run = analysis.run(everything()).await.expect("accepted");
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (6, 5, 1));
    let dead = world.store.read(|reader| reader.dead_letters(None, 10)).await;
    let dead = dead.expect("read").tasks;
    let error = dead[0].error.as_deref().unwrap_or_default();
    assert!(error.contains("too large for a worker elsewhere"), "{error}");
    stop.cancel();
    assert_eq!(worker.await.expect("ended"), 5);
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_had_that_died_is_done_by_another() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 30).await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Well);
    let stuck = told("a", |_, _| Does::Hang);
    let analysis = only_workers(&world, pass).await;
    let stop = CancellationToken::new();
    let dying = worker(&redis.url(), "w1", &[stuck], &stop).await;
    let run = analysis.run(everything()).await.expect("accepted");
    while stuck.all_tries() == 0 {
        tokio::task::yield_now().await;
    }
    dying.abort();
    let soon = |settings: &mut WorkerSettings| settings.taken_over_after = Duration::from_millis(500);
    let other = worker_with(&redis.url(), "w2", &[pass], &stop, soon).await;
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (30, 30, 0));
    stuck.release();
    stop.cancel();
    other.await.expect("ended");
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_hand_rests_until_another_of_its_machine_is_gone_or_does_not_get_done() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 60).await;
    let mut events = world.listen().await;
    let (first, spare) = (told("a", |_, _| Does::Well), told("a", |_, _| Does::Well));
    let hangs = told("a", |_, _| Does::Hang);
    let analysis = only_workers(&world, first).await;
    let key = StreamKey::new("chatstats:tasks").expect("a key");
    let queue = world.bus.work_queue(&key, "workers").expect("of Redis");
    let start = async |name, pass, takers| {
        let stop = CancellationToken::new();
        let one_of_one = |settings: &mut WorkerSettings| {
            settings.machine = Some("m".to_owned());
            (settings.at_once, settings.machine_at_once) = (1, 1);
        };
        let worker = worker_with(&redis.url(), name, &[pass], &stop, one_of_one).await;
        while queue
            .look(Duration::from_secs(60), &[])
            .await
            .expect("counted")
            .there
            < takers
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (worker, stop)
    };
    let one = start("b", first, 1).await;
    let other = start("c", spare, 2).await;
    let run = analysis.run(of_kind(RunKind::Historic)).await.expect("accepted");
    world.ended(&mut events, run.id).await;
    assert_eq!((first.all_tries(), spare.all_tries()), (60, 0));
    // Before both, by its name; it says that it is there, and does not get done.
    let stuck = start("a", hangs, 3).await;
    let by_others = || first.all_tries() + spare.all_tries();
    // Until the others have heard of it they may do all there is.
    let (run, before) = loop {
        let before = by_others();
        let run = analysis
            .run(of_kind(RunKind::Historic))
            .await
            .expect("accepted")
            .id;
        while hangs.all_tries() == 0 && world.run(run).await.finished_at.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if hangs.all_tries() > 0 {
            break (run, before);
        }
    };
    // It has at most two entries, of sixteen tasks each.
    while by_others() < before + 60 - 32 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    hangs.release();
    let run = world.ended(&mut events, run).await;
    assert_eq!((run.total, run.success, run.failed), (60, 60, 0));
    for (worker, stop) in [one, other, stuck] {
        stop.cancel();
        worker.await.expect("ended");
    }
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_on_the_machine_of_a_server_take_only_what_it_has_no_threads_for() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 60).await;
    let mut events = world.listen().await;
    let is_stuck = Arc::new(AtomicBool::new(false));
    let (spare, elsewhere) = (told("a", |_, _| Does::Well), told("a", |_, _| Does::Well));
    let here = told("a", {
        let is_stuck = is_stuck.clone();
        move |_, _| match is_stuck.load(Ordering::Relaxed) {
            true => Does::Hang,
            false => Does::Slowly,
        }
    });
    let analysis = world
        .start_with("one", &[here], |settings| settings.workers = 1)
        .await;
    let stop = CancellationToken::new();
    let own_machine = WorkerSettings::new(String::new()).machine;
    let one_of_one = |settings: &mut WorkerSettings| {
        settings.machine = own_machine;
        (settings.at_once, settings.machine_at_once) = (1, 1);
    };
    let key = StreamKey::new("chatstats:tasks").expect("a key");
    let queue = world.bus.work_queue(&key, "workers").expect("of Redis");
    let counted = async || queue.look(Duration::from_secs(60), &[]).await.expect("counted");
    let one = worker_with(&redis.url(), "one", &[spare], &stop, one_of_one).await;
    // It may have come before the server said that it computes: then it takes tasks until it has heard that.
    while counted().await != (Takers { there: 1, ready: 0 }) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let run = analysis.run(of_kind(RunKind::Historic)).await.expect("accepted");
    world.ended(&mut events, run.id).await;
    assert_eq!((here.all_tries(), spare.all_tries()), (60, 0));
    let other = worker(&redis.url(), "other", &[elsewhere], &stop).await;
    while counted().await != (Takers { there: 3, ready: 2 }) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The one thread of the server does not get done: it has not even taken all.
    is_stuck.store(true, Ordering::Relaxed);
    let run = analysis.run(of_kind(RunKind::Historic)).await.expect("accepted");
    while elsewhere.all_tries() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    here.release();
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (60, 60, 0));
    assert_eq!(spare.all_tries(), 0);
    stop.cancel();
    for worker in [one, other] {
        worker.await.expect("ended");
    }
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_had_that_died_is_done_by_one_that_stood_by() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 1).await;
    let mut events = world.listen().await;
    let (stuck, spare) = (told("a", |_, _| Does::Hang), told("a", |_, _| Does::Well));
    let analysis = only_workers(&world, spare).await;
    let stop = CancellationToken::new();
    let key = StreamKey::new("chatstats:tasks").expect("a key");
    let queue = world.bus.work_queue(&key, "workers").expect("of Redis");
    // As a server on its machine that computes itself: it takes no tasks, and lends none either.
    let computes = ["m/server".to_owned()];
    let counted = async || {
        queue
            .look(Duration::from_secs(60), &computes)
            .await
            .expect("counted")
    };
    counted().await;
    let elsewhere = |settings: &mut WorkerSettings| settings.at_once = 1;
    let dying = worker_with(&redis.url(), "w1", &[stuck], &stop, elsewhere).await;
    let beside = |settings: &mut WorkerSettings| {
        elsewhere(settings);
        settings.machine = Some("m".to_owned());
        settings.machine_at_once = 1;
    };
    let standing_by = worker_with(&redis.url(), "w2", &[spare], &stop, beside).await;
    while counted().await != (Takers { there: 2, ready: 1 }) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The only task there is: none waits in the queue once it is taken.
    let run = analysis.run(everything()).await.expect("accepted");
    while stuck.all_tries() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    dying.abort();
    let still_computes = tokio::spawn({
        let queue = queue.clone();
        async move {
            loop {
                let said = queue.look(Duration::from_secs(60), &computes).await;
                said.expect("said");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    });
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (1, 1, 0));
    assert_eq!(spare.all_tries(), 1);
    still_computes.abort();
    stuck.release();
    stop.cancel();
    standing_by.await.expect("ended");
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_were_read_do_not_stay_in_redis() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 200).await;
    let mut events = world.listen().await;
    let pass = told("a", |_, _| Does::Well);
    let analysis = only_workers(&world, pass).await;
    let stop = CancellationToken::new();
    let worker = worker(&redis.url(), "w", &[pass], &stop).await;
    let run = analysis.run(everything()).await.expect("accepted");
    world.ended(&mut events, run.id).await;
    let answers = StreamKey::new("chatstats:task_answers").expect("a key");
    while world.bus.len(&answers).await.expect("counted") > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // And none is missed that comes after that.
    let run = analysis.run(of_kind(RunKind::Historic)).await.expect("accepted");
    let run = world.ended(&mut events, run.id).await;
    assert_eq!((run.total, run.success, run.failed), (200, 200, 0));
    stop.cancel();
    worker.await.expect("ended");
    end(&world, analysis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_be_killed_in_the_middle_with_its_data_and_without() {
    let mut redis = Redis::start();
    let world = World::with_redis(&redis.url(), 400).await;
    let pass = told("a", |_, _| {
        std::thread::sleep(Duration::from_millis(5));
        Does::Well
    });
    let analysis = only_workers(&world, pass).await;
    let stop = CancellationToken::new();
    let worker = worker(&redis.url(), "w", &[pass], &stop).await;
    let run = analysis.run(everything()).await.expect("accepted");
    for (tries, with_data) in [(60, true), (160, false)] {
        while pass.all_tries() < tries {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        redis.kill_and_start(with_data);
    }
    // Events of before are gone with the data: the rows have the truth.
    let done = loop {
        let run = world.run(run.id).await;
        if run.finished_at.is_some() {
            break run;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((done.total, done.success, done.failed), (400, 400, 0));
    while !world
        .events()
        .await
        .iter()
        .any(|event| is(event, "run_complete", run.id))
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    worker.await.expect("ended");
    analysis.shutdown().await;
    let all = world.events().await;
    assert_eq!(
        all.iter()
            .filter(|event| is(event, "run_complete", run.id))
            .count(),
        1
    );
    world.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_lost_in_its_last_try_ends_its_run() {
    let redis = Redis::start();
    let world = World::with_redis(&redis.url(), 1).await;
    let mut events = world.listen().await;
    let now = world.now();
    let until = Timestamp::from_micros(now.as_micros() + 3_600_000_000).expect("in range");
    let conversation = world.sealed().await[0];
    // Lent again and again, and lost with the Redis that was emptied: nothing is in the queue.
    let run = world.store.write_analysis(Lane::Bulk, 0, move |write| {
        let new = NewRun {
            kind: RunKind::Conversation,
            chats: Vec::new(),
            passes: vec!["a".to_owned()],
        };
        let run = write.create_run(&new, now)?;
        write.seed_conversation(run, TaskLane::Compute, conversation, 1, now)?;
        write.count_run(run)?;
        write.open_run(run, now)?;
        for _ in 1..ATTEMPTS_MAX {
            write.claim_tasks(TaskLane::Compute, "lent", 1, until, now)?;
            write.take_back_tasks_of("lent", now)?;
        }
        let last = write.claim_tasks(TaskLane::Compute, "lent", 1, until, now)?;
        assert_eq!(last[0].attempt, ATTEMPTS_MAX);
        Ok(run)
    });
    let run = run.await.expect("written");
    let pass = told("a", |_, _| Does::Well);
    let analysis = world.start("one", &[pass]).await;
    let run = world.ended(&mut events, run).await;
    assert_eq!((run.total, run.success, run.failed), (1, 0, 1));
    assert_eq!(pass.all_tries(), 0);
    end(&world, analysis).await;
}
