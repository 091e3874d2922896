//! Nobody comes past the guard: a foreign or malformed `Host` or `Origin` gets 400 or 403 and a wrong token 401,
//! whatever is asked for and however, and in this order.

mod wrong;

use std::collections::BTreeSet;
use std::path::Path;

use chatstats_tests::{Answer, Home, Post, Server, raw};

/// Every route of the router as it stands there, with an address it answers.
const ROUTES: &[(&str, &str)] = &[
    ("/api/analysis/dead", "/api/analysis/dead"),
    ("/api/analysis/dead/retry", "/api/analysis/dead/retry"),
    ("/api/analysis/dead/{task_id}/retry", "/api/analysis/dead/1/retry"),
    ("/api/analysis/llm", "/api/analysis/llm"),
    ("/api/analysis/passes", "/api/analysis/passes"),
    ("/api/analysis/passes/{name}", "/api/analysis/passes/topics"),
    ("/api/analysis/runs", "/api/analysis/runs"),
    ("/api/analysis/runs/preview", "/api/analysis/runs/preview"),
    ("/api/analysis/runs/{run_id}", "/api/analysis/runs/1"),
    (
        "/api/analysis/runs/{run_id}/cancel",
        "/api/analysis/runs/1/cancel",
    ),
    (
        "/api/analysis/runs/{run_id}/counts",
        "/api/analysis/runs/1/counts",
    ),
    ("/api/analysis/runs/{run_id}/pause", "/api/analysis/runs/1/pause"),
    (
        "/api/analysis/runs/{run_id}/resume",
        "/api/analysis/runs/1/resume",
    ),
    (
        "/api/analysis/streaming/queue/stream",
        "/api/analysis/streaming/queue/stream?start_id=0",
    ),
    (
        "/api/analysis/streaming/redis_stream/{stream_key}",
        "/api/analysis/streaming/redis_stream/task_events:analysis",
    ),
    ("/api/analysis/tasks", "/api/analysis/tasks?limit=5"),
    ("/api/analysis/tasks/{task_id}", "/api/analysis/tasks/1"),
    ("/api/bus", "/api/bus"),
    ("/api/bus/events", "/api/bus/events"),
    (
        "/api/bus/streams/{stream_key}",
        "/api/bus/streams/task_events:analysis",
    ),
    (
        "/api/bus/streams/{stream_key}/entries",
        "/api/bus/streams/task_events:analysis/entries?count=5",
    ),
    ("/api/chats", "/api/chats"),
    ("/api/chats/{chat_id}", "/api/chats/1"),
    ("/api/chats/{chat_id}/conversations", "/api/chats/1/conversations"),
    ("/api/chats/{chat_id}/look", "/api/chats/1/look"),
    ("/api/chats/{chat_id}/messages", "/api/chats/1/messages"),
    ("/api/chats/{chat_id}/seal", "/api/chats/1/seal"),
    ("/api/commitments", "/api/commitments"),
    (
        "/api/commitments/{chat_id}/{commitment_id}/decision",
        "/api/commitments/1/1:0/decision",
    ),
    ("/api/contacts", "/api/contacts"),
    ("/api/contacts/{contact_id}", "/api/contacts/1"),
    ("/api/conversations/now", "/api/conversations/now"),
    (
        "/api/conversations/{conversation_id}/results",
        "/api/conversations/1/results",
    ),
    ("/api/health", "/api/health"),
    ("/api/hub", "/api/hub"),
    ("/api/imports", "/api/imports"),
    ("/api/imports/{import_id}", "/api/imports/1"),
    ("/api/imports/{import_id}/cancel", "/api/imports/1/cancel"),
    ("/api/imports/{import_id}/left-out", "/api/imports/1/left-out"),
    ("/api/live-sync/messages", "/api/live-sync/messages"),
    (
        "/api/live-sync/stream/chat/{chat_id}/messages",
        "/api/live-sync/stream/chat/1/messages",
    ),
    ("/api/live-sync/stream/chats", "/api/live-sync/stream/chats"),
    ("/api/live-sync/stream/contacts", "/api/live-sync/stream/contacts"),
    ("/api/metrics/stream", "/api/metrics/stream"),
    ("/api/search", "/api/search?q=one"),
    ("/api/status", "/api/status"),
];

/// Pages, their files, and addresses where nothing is.
const ELSEWHERE: &[&str] = &[
    "/",
    "/index.html",
    "/theme.js",
    "/favicon.svg",
    "/chats/1",
    "/_app/none.js",
    "/_app/../../token",
    "/nowhere",
    "/api",
    "/api/",
    "/api/nowhere",
    "/api/health/",
    "/API/health",
    "//api/health",
    "/%61pi/health",
];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

fn targets() -> impl Iterator<Item = &'static str> {
    ROUTES
        .iter()
        .map(|(_, target)| *target)
        .chain(ELSEWHERE.iter().copied())
}

#[test]
fn the_walk_knows_every_route_of_the_router() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/crates/server/src/api");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(sources).expect("the sources of the routes") {
        let source = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        for after in source.split(".route(").skip(1) {
            let path = after
                .trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            found.insert(path.expect("a literal path").to_owned());
        }
    }
    let known: BTreeSet<_> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn every_route_of_the_walk_is_one() {
    let (_home, server) = with_a_chat();
    for (route, target) in ROUTES {
        // What no route answers says so to a method that none of them has.
        let answer = ask(&server, "TRACE", target, &own(&server));
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (405, "method_not_allowed"),
            "{route}"
        );
    }
    server.stop();
}

#[test]
fn a_foreign_or_malformed_host_or_origin_gets_nowhere_even_with_the_token() {
    let (_home, server) = with_a_chat();
    let token = format!("Authorization: Bearer {}\r\n", server.token());
    for head in wrong::hosts(server.addr().port())
        .into_iter()
        .chain(wrong::origins(server.addr().port()))
    {
        for target in targets() {
            for method in METHODS {
                let answer = ask(&server, method, target, &format!("{head}{token}"));
                assert!(
                    [400, 403].contains(&answer.status),
                    "{method} {target} {head}: {answer:?}"
                );
                gives_nothing_away(&answer);
            }
        }
    }
    server.stop();
}

#[test]
fn a_wrong_token_gets_nothing_but_the_word_that_the_server_runs() {
    let (_home, server) = with_a_chat();
    let host = format!("Host: {}\r\n", server.addr());
    for credentials in wrong::tokens(&server) {
        for target in targets() {
            for method in METHODS {
                let answer = ask(&server, method, target, &format!("{host}{credentials}"));
                let want = if (*method, target) == ("GET", "/api/health") {
                    200
                } else {
                    401
                };
                assert_eq!(answer.status, want, "{method} {target} {credentials}: {answer:?}");
                gives_nothing_away(&answer);
            }
        }
    }
    for query in [
        "token=",
        "token=wrong",
        "token",
        "token=wrong&token=",
        "%74oken=wrong",
    ] {
        for target in targets().filter(|target| !target.contains('?') && *target != "/api/health") {
            let answer = ask(&server, "GET", &format!("{target}?{query}"), &host);
            assert_eq!(answer.status, 401, "{target}?{query}: {answer:?}");
            gives_nothing_away(&answer);
        }
    }
    server.stop();
}

#[test]
fn host_and_origin_come_before_the_token_and_the_token_before_the_address() {
    let (_home, server) = with_a_chat();
    let (host, addr) = (format!("Host: {}\r\n", server.addr()), server.addr());
    for target in ["/api/nowhere", "/nowhere", "/api/chats/999"] {
        let foreign = format!("{host}Origin: http://evil.example\r\nAuthorization: Bearer wrong\r\n");
        assert_eq!(
            ask(&server, "GET", target, &foreign).problem(),
            "origin_foreign",
            "{target}"
        );
        let wrong = format!("{host}Origin: http://{addr}\r\nAuthorization: Bearer wrong\r\n");
        assert_eq!(ask(&server, "GET", target, &wrong).problem(), "token", "{target}");
        assert_eq!(
            ask(&server, "GET", target, &own(&server)).problem(),
            "not_found",
            "{target}"
        );
    }
    server.stop();
}

#[test]
fn the_request_line_cannot_name_another_server_and_a_host_is_needed_in_every_version() {
    let (_home, server) = with_a_chat();
    let addr = server.addr();
    for (target, want) in [
        ("http://evil.example/api/health".to_owned(), 403),
        (format!("https://{addr}/api/health"), 403),
        (format!("http://user@{addr}/api/health"), 400),
        (format!("http://{addr}/api/health"), 200),
    ] {
        assert_eq!(
            ask(&server, "GET", &target, &own(&server)).status,
            want,
            "{target}"
        );
    }
    for line in [
        "GET /api/health HTTP/1.0",
        "GET /api/health HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "nonsense",
    ] {
        let answer = raw(addr, format!("{line}\r\nConnection: close\r\n\r\n").as_bytes());
        assert_eq!(answer.map(|answer| answer.status), Some(400), "{line}");
    }
    server.stop();
}

#[test]
fn the_right_token_opens_by_header_cookie_and_query() {
    let (_home, server) = with_a_chat();
    let (port, token) = (server.addr().port(), server.token());
    for host in [
        format!("127.0.0.1:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
    ] {
        for (target, credentials) in [
            (
                "/api/status".to_owned(),
                format!("Authorization: Bearer {token}\r\n"),
            ),
            (
                "/api/status".to_owned(),
                format!("Cookie: a=b; chatstats_{port}={token}\r\n"),
            ),
            (format!("/api/status?token={token}"), String::new()),
            (
                format!("/api/status?token={token}"),
                format!("Origin: http://{host}\r\n"),
            ),
        ] {
            let answer = ask(&server, "GET", &target, &format!("Host: {host}\r\n{credentials}"));
            assert_eq!(answer.status, 200, "{host} {target} {credentials}: {answer:?}");
        }
    }
    server.stop();
}

#[test]
fn a_page_that_is_opened_with_the_token_gets_a_cookie_and_a_clean_address() {
    let (_home, server) = with_a_chat();
    let (port, token) = (server.addr().port(), server.token());
    let host = format!("Host: 127.0.0.1:{port}\r\nAccept: text/html\r\n");
    for (target, location) in [
        (format!("/?token={token}"), "/"),
        (format!("/chats/1?a=b&token={token}&c=d"), "/chats/1?a=b&c=d"),
        (format!("//evil.example/?token={token}"), "/evil.example/"),
    ] {
        let answer = ask(&server, "GET", &target, &host);
        assert_eq!(
            (answer.status, answer.header("location").as_deref()),
            (303, Some(location)),
            "{answer:?}"
        );
        let cookie = answer.header("set-cookie").expect("a cookie");
        let parts: Vec<_> = cookie.split("; ").collect();
        assert!(
            parts.contains(&"HttpOnly") && parts.contains(&"SameSite=Strict"),
            "{cookie}"
        );
        // And with the cookie alone the page comes.
        let page = ask(
            &server,
            "GET",
            location,
            &format!("{host}Cookie: {}\r\n", parts[0]),
        );
        assert_eq!(page.status, 200, "{page:?}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'"),
            "{policy}"
        );
        let scripts = policy
            .split(';')
            .find(|part| part.contains("script-src"))
            .unwrap_or_default();
        assert!(!scripts.contains("unsafe") && !policy.contains('*'), "{policy}");
    }
    server.stop();
}

fn with_a_chat() -> (Home, Server) {
    let home = Home::new();
    let server = Server::start(&home);
    server.client().post(&Post::to("chat").with("one", 1));
    (home, server)
}

fn ask(server: &Server, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    raw(server.addr(), request.as_bytes()).unwrap_or_else(|| panic!("no answer: {request}"))
}

fn own(server: &Server) -> String {
    format!(
        "Host: {}\r\nAuthorization: Bearer {}\r\n",
        server.addr(),
        server.token()
    )
}

fn gives_nothing_away(answer: &Answer) {
    assert!(
        !answer
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("access-control")),
        "{answer:?}"
    );
    assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    assert!(answer.header("content-security-policy").is_some(), "{answer:?}");
}
