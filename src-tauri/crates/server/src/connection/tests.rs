//! The pipe with hyper on it, over a socket that is played from a script.

use std::fmt::Write as _;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;

use http_body_util::BodyExt;
use proptest::prelude::*;

use super::*;
use crate::turn::Turn;

/// A socket that gives what it is told to, and keeps what is written.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Play>>);

#[derive(Default)]
struct Play {
    /// What each read gives.
    parts: std::collections::VecDeque<Vec<u8>>,
    /// The next read has to wait.
    waits: bool,
    /// No read has to.
    is_fast: bool,
    is_over: bool,
    written: Vec<u8>,
    writes: usize,
}

impl Script {
    fn of(bytes: &[u8], cuts: &[usize]) -> Self {
        let script = Self::default();
        let (mut rest, mut cuts) = (bytes, cuts.iter().cycle());
        while !rest.is_empty() {
            let bytes = cuts.next().map_or(rest.len(), |cut| (*cut).min(rest.len()));
            let (part, others) = rest.split_at(bytes);
            script.play().parts.push_back(part.to_vec());
            rest = others;
        }
        script
    }

    fn play(&self) -> std::sync::MutexGuard<'_, Play> {
        self.0.lock().expect("no panic")
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut play = self.play();
        play.waits = !play.waits && !play.is_fast;
        if play.waits && !play.is_over {
            if !play.parts.is_empty() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        match play.parts.pop_front() {
            Some(mut part) => {
                let rest = part.split_off(part.len().min(buffer.remaining()));
                buffer.put_slice(&part);
                if !rest.is_empty() {
                    play.parts.push_front(rest);
                }
                Poll::Ready(Ok(()))
            }
            None if play.is_over => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut play = self.play();
        // Never all of it at once.
        let bytes = &bytes[..bytes.len().min(1_000)];
        play.written.extend_from_slice(bytes);
        play.writes += 1;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Who answers.
#[derive(Clone, Default)]
struct House {
    /// What was taken, in order.
    taken: Arc<Mutex<Vec<String>>>,
    is_closed: Arc<AtomicBool>,
    under_way: Arc<AtomicUsize>,
}

impl House {
    /// Takes a post and passes the turn, waits for a while, and says what it was; `/alone` does not pass the turn.
    async fn answer(self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let mut said = format!("{} {}", parts.method, parts.uri);
        for name in ["host", "x", "content-length"] {
            write!(said, " {:?}", parts.headers.get(name)).expect("written");
        }
        if parts.uri.path() == "/refused" {
            let mut response = Response::new(Body::from(said));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            return response;
        }
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Response::new(Body::from(error.to_string())),
        };
        write!(said, " {} {:?}", body.len(), &body[..body.len().min(9)]).expect("written");
        if parts.uri.path() == "/late" {
            wait(3).await;
        }
        self.taken.lock().expect("no panic").push(said.clone());
        self.under_way.fetch_add(1, Ordering::Relaxed);
        if parts.uri.path() != "/alone" {
            let turn = parts.extensions.get::<Turn>().cloned();
            turn.unwrap_or_default().pass();
        }
        wait(body.len() % 7).await;
        while self.is_closed.load(Ordering::Relaxed) {
            wait(1).await;
        }
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        Response::new(Body::from(said))
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("no panic").clone()
    }
}

async fn wait(polls: usize) {
    for _ in 0..polls {
        let mut is_over = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut is_over, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Polls a connection until nothing moves any more, then ends it from the client's side.
async fn play(script: &Script, connection: impl Future<Output = ()>) {
    /// More than anybody here waits.
    const IDLE_POLLS: usize = 100;
    let mut connection = pin!(connection);
    let (mut idle, mut written) = (0, 0);
    poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut play = script.play();
        idle = if play.written.len() == written && play.parts.is_empty() {
            idle + 1
        } else {
            0
        };
        written = play.written.len();
        play.is_over = idle >= IDLE_POLLS;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn through_the_pipe(script: &Script, house: &House) {
    let (pipe, slot, ending) = (Pipe::new(script.clone()), Arc::default(), Ending::default());
    let house = house.clone();
    let answer = move |request| house.clone().answer(request);
    play(script, drive(&pipe, &slot, answer, &ending)).await;
}

async fn by_hyper_alone(script: &Script, house: &House) {
    let house = house.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let answer = house.clone().answer(request.map(Body::new));
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(script.clone()), service);
    play(script, async { drop(connection.await) }).await;
}

/// What was written, but for the time.
fn answers(script: &Script) -> String {
    let written = String::from_utf8(script.play().written.clone()).expect("text");
    let lines = written
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("date: "));
    lines.collect()
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![
        8 => Just("/queue"),
        2 => Just("/queue?x=y"),
        1 => Just("/other"),
        1 => Just("/late"),
        1 => Just("/alone"),
    ];
    let bytes = prop_oneof![10 => 0..200usize, 2 => 200..20_000usize, 1 => 60_000..70_000usize];
    let post = (target, bytes, 0..1_000u32).prop_map(|(target, bytes, number)| {
        let body: String = format!("{number} ").chars().cycle().take(bytes).collect();
        format!("POST {target} HTTP/1.1\r\nHost: h\r\nX: {number}\r\nContent-Length: {bytes}\r\n\r\n{body}")
    });
    let other = prop::sample::select(vec![
        "GET /queue HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /body HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "HEAD / HTTP/1.1\r\n\r\n",
        "POST /refused HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /refused HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "\r\nPOST /queue HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
        "POST http://h/queue HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
        "POST /1 HTTP/1.1\r\n\r\n",
        "POST /2 HTTP/1.1\r\n\r\n",
    ]);
    let doubtful = prop::sample::select(vec![
        "POST /queue HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /queue HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /queue HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        "POST /queue HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /queue HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST /queue HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
        "POST /queue HTTP/1.1\r\nContent-Length: x\r\n\r\nabc",
        "POST /queue HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
        "POST /que ue HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "nonsense\r\n\r\n",
    ]);
    prop_oneof![
        12 => post,
        3 => other.prop_map(str::to_owned),
        1 => doubtful.prop_map(str::to_owned),
    ]
    .prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the bytes arrive: the answers are to the letter those of hyper alone, and what was asked was done in the
    /// same order.
    #[test]
    fn nobody_can_tell_the_pipe_from_hyper_alone(
        requests in prop::collection::vec(request(), 1..20),
        cuts in prop::collection::vec(prop_oneof![1..40usize, 40..3_000usize, 3_000..100_000usize], 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let bytes = requests.concat();
        let (alone, piped) = (Script::of(&bytes, &[]), Script::of(&bytes, &cuts));
        let (house, other) = (House::default(), House::default());
        runtime.block_on(by_hyper_alone(&alone, &house));
        runtime.block_on(through_the_pipe(&piped, &other));
        prop_assert_eq!(house.taken(), other.taken());
        prop_assert_eq!(answers(&alone), answers(&piped));
    }
}

fn posts(count: usize, bytes: usize, target: &str) -> Vec<u8> {
    let post = |number| {
        let body = format!("{number} ")
            .chars()
            .cycle()
            .take(bytes)
            .collect::<String>();
        format!(
            "POST {target} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    (0..count).map(post).collect::<String>().into_bytes()
}

/// How many are under way at a time while nobody is answered, and how many are answered in the end, in how many writes.
async fn at_a_time(bytes: &[u8]) -> (usize, usize, usize) {
    let (script, house) = (Script::of(bytes, &[]), House::default());
    house.is_closed.store(true, Ordering::Relaxed);
    let connection = through_the_pipe(&script, &house);
    let mut most = 0;
    let opened = async {
        wait(50).await;
        most = house.under_way.load(Ordering::Relaxed);
        house.is_closed.store(false, Ordering::Relaxed);
    };
    tokio::join!(connection, opened);
    let answered = answers(&script).matches("HTTP/1.1 200 OK\r\n").count();
    let writes = script.play().writes;
    (most, answered, writes)
}

#[tokio::test]
async fn posts_behind_each_other_are_begun_side_by_side_and_answered_together() {
    // Bodies that wait for the house to open, and not a while longer.
    let (most, answered, writes) = at_a_time(&posts(5, 7, "/queue")).await;
    assert_eq!((most, answered, writes), (5, 5, 1));
    assert_eq!(at_a_time(&posts(5, 10, "/late")).await.0, 5);
}

#[tokio::test]
async fn behind_one_that_keeps_its_turn_nothing_is_begun() {
    let (most, answered, _) = at_a_time(&posts(5, 10, "/alone")).await;
    assert_eq!((most, answered), (1, 5));
    let mixed = [
        posts(2, 10, "/queue"),
        posts(2, 10, "/other"),
        posts(2, 10, "/queue"),
    ]
    .concat();
    let (most, answered, _) = at_a_time(&mixed).await;
    assert_eq!((most, answered), (2, 6), "another address is another queue");
}

#[tokio::test]
async fn what_is_under_way_is_bounded() {
    let (most, answered, _) = at_a_time(&posts(1_000, 1, "/queue")).await;
    // One that hyper has, and those begun behind it.
    assert_eq!((most, answered), (1 + pipe::AHEAD_REQUESTS_MAX, 1_000));
    let (most, answered, _) = at_a_time(&posts(100, 30_000, "/queue")).await;
    assert!((5..=10).contains(&most), "{most}");
    assert_eq!(answered, 100);
    let (most, answered, _) = at_a_time(&posts(5, 70_000, "/queue")).await;
    assert_eq!((most, answered), (1, 5), "large ones go one by one");
}

#[tokio::test]
async fn all_that_lies_there_is_begun_without_another_wake_up() {
    let bytes = [posts(1, 7, "/queue"), posts(20, 10_000, "/queue")].concat();
    let (script, house) = (Script::of(&bytes, &[]), House::default());
    script.play().is_fast = true;
    house.is_closed.store(true, Ordering::Relaxed);
    let mut connection = Box::pin(through_the_pipe(&script, &house));
    let polled = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    assert_eq!(house.under_way.load(Ordering::Relaxed), 21);
}

#[tokio::test]
async fn at_the_programs_end_what_was_begun_is_answered_and_nothing_more_is() {
    let (script, house) = (Script::of(&posts(5, 7, "/queue"), &[]), House::default());
    let (pipe, slot, ending) = (Pipe::new(script.clone()), Arc::default(), Ending::default());
    house.is_closed.store(true, Ordering::Relaxed);
    let (answering, more) = (house.clone(), script.clone());
    let answer = move |request| answering.clone().answer(request);
    let ended = async {
        wait(20).await;
        ending.begin();
        wait(20).await;
        more.play().parts.push_back(posts(5, 7, "/queue"));
        wait(20).await;
        house.is_closed.store(false, Ordering::Relaxed);
    };
    tokio::join!(drive(&pipe, &slot, answer, &ending), ended);
    assert_eq!(
        (house.taken().len(), answers(&script).matches(" 200 OK").count()),
        (5, 5)
    );
}
