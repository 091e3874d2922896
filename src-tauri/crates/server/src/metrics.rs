//! Snapshots of how the program fares: one sampler for all who look, which works only while somebody does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chatstats_model::{
    AnalysisMetrics, BusMetrics, EndpointCounts, LatencyMetrics, Metrics, ProcessMetrics, SseMetrics,
    StoreMetrics, Timestamp,
};
use chatstats_store::StoreError;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::AppState;
use crate::histogram::Counts;
use crate::sse::pulse::{Listening, Pulse};
use crate::sse::{Endpoint, Streams, frame};

/// Between two snapshots.
const EVERY: Duration = Duration::from_secs(1);

/// Snapshots over which latencies are told: those of one second alone would jump about.
const LATENCY_SNAPSHOTS: usize = 10;

/// Those who look, and the sampler. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Sampling(Arc<Shared>);

#[derive(Default)]
struct Shared {
    looking: Pulse,
    /// Whether the sampler works. Looked at and changed while nobody joins.
    works: Mutex<bool>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Joins those who look, and starts the sampler for the first.
pub(crate) fn listen(state: &AppState) -> Listening {
    let sampling = &state.sampling;
    let mut works = sampling.lock();
    let listening = sampling.0.looking.listen();
    if !*works && !sampling.0.shutdown.is_cancelled() {
        *works = true;
        sampling.0.tasks.spawn(sample(state.clone()));
    }
    listening
}

impl Sampling {
    /// Ends the sampler, and returns when it has.
    pub(crate) async fn shutdown(&self) {
        self.0.shutdown.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Whether somebody still looks; otherwise the sampler has ended with this answer.
    fn goes_on(&self) -> bool {
        let mut works = self.lock();
        *works = !self.0.looking.is_deserted();
        *works
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.0.works.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Samples while somebody looks.
async fn sample(state: AppState) {
    let sampling = state.sampling.clone();
    let mut sampler = Sampler::new(state);
    let mut timer = tokio::time::interval(EVERY);
    // After a laptop's sleep one snapshot is enough.
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = sampling.0.shutdown.cancelled() => return,
        }
        if !sampling.goes_on() {
            return;
        }
        match sampler.snapshot().await {
            Ok(snapshot) => sampling.0.looking.beat(event(&snapshot)),
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "a snapshot of the metrics could not be taken"),
        }
    }
}

fn event(snapshot: &Metrics) -> Bytes {
    let mut out = b"data: ".to_vec();
    frame::json(&mut out, snapshot);
    frame::end(&mut out);
    out.into()
}

struct Sampler {
    state: AppState,
    process: Option<Process>,
    /// Tasks that had ended at the last snapshot, and when that was.
    ended: (u64, Instant),
    latencies: VecDeque<Counts>,
}

impl Sampler {
    fn new(state: AppState) -> Self {
        // What was counted while nobody looked is of no particular time.
        state.streams.latency().take();
        let (completed, failed) = state.analysis.ended();
        Self {
            ended: (completed + failed, Instant::now()),
            process: Some(Process::default()),
            latencies: VecDeque::with_capacity(LATENCY_SNAPSHOTS),
            state,
        }
    }

    async fn snapshot(&mut self) -> Result<Metrics, StoreError> {
        let state = self.state.clone();
        let read = |reader: &chatstats_store::Reader| Ok((reader.counts()?, reader.task_load()?));
        let ((chats, messages), load) = state.store.read(move |reader| reader.consistent(read)).await?;
        let (completed, failed) = state.analysis.ended();
        let bus = state.bus.status();
        Ok(Metrics {
            ts: Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or_default(),
            uptime_s: state.started.elapsed().as_secs_f64(),
            process: self.process().await,
            hub: state.hub.stats(),
            bus: BusMetrics {
                backend: bus.backend,
                published: bus.published,
                read: bus.read,
                subscribers: bus.subscribers,
                length: bus.length,
                lag_ms: bus.lag_ms,
            },
            sse: sse(&state.streams),
            analysis: AnalysisMetrics {
                queued: load.waiting,
                running: load.running,
                completed,
                failed,
                dead: load.dead,
                per_second: self.per_second(completed + failed),
            },
            latency_ms: LatencyMetrics {
                publish_to_send: self.latency().latency(),
            },
            store: StoreMetrics {
                chats,
                messages,
                db_bytes: state.store.size_bytes(),
            },
        })
    }

    /// Off the async threads: the system is asked by reading files.
    async fn process(&mut self) -> ProcessMetrics {
        let mut process = self.process.take().unwrap_or_default();
        let looked = tokio::task::spawn_blocking(move || {
            let found = process.look();
            (process, found)
        });
        match looked.await {
            Ok((process, found)) => {
                self.process = Some(process);
                found
            }
            Err(error) => {
                tracing::warn!(%error, "the process could not be looked at");
                ProcessMetrics::default()
            }
        }
    }

    fn per_second(&mut self, ended: u64) -> f64 {
        let (before, at) = std::mem::replace(&mut self.ended, (ended, Instant::now()));
        let elapsed_s = at.elapsed().as_secs_f64();
        // The first snapshot comes at once, and tells of no second.
        if elapsed_s < EVERY.as_secs_f64() / 2.0 {
            return 0.0;
        }
        (ended.saturating_sub(before) as f64 / elapsed_s * 10.0).round() / 10.0
    }

    fn latency(&mut self) -> Counts {
        if self.latencies.len() == LATENCY_SNAPSHOTS {
            self.latencies.pop_front();
        }
        self.latencies.push_back(self.state.streams.latency().take());
        let mut sum = Counts::default();
        self.latencies.iter().for_each(|counts| sum.add(counts));
        sum
    }
}

fn sse(streams: &Streams) -> SseMetrics {
    let open = |endpoint| streams.open_count(endpoint);
    SseMetrics {
        open: Endpoint::ALL.into_iter().map(open).sum(),
        by_endpoint: EndpointCounts {
            messages: open(Endpoint::Messages),
            chats: open(Endpoint::Chats),
            contacts: open(Endpoint::Contacts),
            queue_stream: open(Endpoint::QueueStream),
            redis_stream: open(Endpoint::RedisStream),
            metrics: open(Endpoint::Metrics),
        },
        bytes_sent: streams.bytes_sent(),
    }
}

/// This process, as the system sees it.
struct Process {
    /// None where the system does not tell anything.
    system: Option<System>,
    pid: Pid,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            system: System::new().ok(),
            pid: Pid::from_u32(std::process::id()),
        }
    }
}

impl Process {
    fn look(&mut self) -> ProcessMetrics {
        let Some(system) = &mut self.system else {
            return ProcessMetrics::default();
        };
        let what = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), true, what);
        let found = system.process(self.pid);
        found.map_or_else(ProcessMetrics::default, |found| ProcessMetrics {
            cpu_percent: f64::from(found.cpu_usage()),
            rss_bytes: found.memory(),
            // The main one is not among its tasks.
            threads: found.tasks().map(|tasks| tasks.len() as u64 + 1),
        })
    }
}
