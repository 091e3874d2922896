//! Nobody comes past the guard, whatever they ask for.

use super::{Server, status};

const TARGETS: &[&str] = &[
    "/",
    "/index.html",
    "/chats/1",
    "/favicon.svg",
    "/_app/immutable/none.js",
    "/_app/../../token",
    "/nowhere",
    "/api",
    "/api/nowhere",
    "/api/health",
    "/api/health/",
    "/API/health",
    "/api/status",
    "/api/chats",
    "/api/live-sync/messages",
    "/api/live-sync/stream/chats",
    "/api/live-sync/stream/chat/1/messages",
    "//api/health",
    "/%61pi/health",
];

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
];

/// A right token, and a head that is wrong in one point.
fn foreign_heads(port: u16) -> Vec<String> {
    let hosts = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1:{port}.evil.example"),
        "127.0.0.1:1".to_owned(),
        format!("localhost.:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}/x"),
        "127.0.0.1:99999".to_owned(),
        "0.0.0.0".to_owned(),
        format!("127.0.0.1:{port}, evil.example"),
        String::new(),
    ];
    let origins = [
        "null".to_owned(),
        "http://evil.example".to_owned(),
        "http://127.0.0.1".to_owned(),
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port} http://evil.example"),
        "file://".to_owned(),
        "*".to_owned(),
        String::new(),
    ];
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let mut heads: Vec<_> = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
    heads.extend(origins.iter().map(|origin| format!("{own}Origin: {origin}\r\n")));
    heads.push(String::new());
    heads.push(own.repeat(2));
    heads.push(format!(
        "{own}Origin: http://127.0.0.1:{port}\r\nOrigin: http://evil.example\r\n"
    ));
    heads
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_or_origin_gets_nowhere_even_with_the_token() {
    let server = Server::start();
    let token = server.token();
    for head in foreign_heads(server.port()) {
        for target in TARGETS {
            for method in METHODS {
                let request = format!(
                    "{method} {target}?token={token} HTTP/1.1\r\n{head}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
                );
                let answer = server.raw(&request).await;
                assert!([400, 403].contains(&status(&answer)), "{request}{answer}");
                assert!(
                    !answer.contains("access-control") && !answer.contains("set-cookie"),
                    "{answer}"
                );
            }
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_token_only_health_answers() {
    let server = Server::start();
    let (port, token) = (server.port(), server.token());
    let wrong = [
        String::new(),
        "Authorization: Bearer wrong\r\n".to_owned(),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        format!("Cookie: chatstats_{port}=wrong\r\n"),
        format!("Cookie: chatstats={token}; chatstats_1={token}\r\n"),
        format!("Authorization: Bearer wrong\r\nCookie: chatstats_{port}={token}\r\n"),
    ];
    for credentials in &wrong {
        for target in TARGETS {
            for method in METHODS {
                let request = format!(
                    "{method} {target} HTTP/1.1\r\nHost: localhost:{port}\r\n{credentials}Connection: close\r\n\r\n"
                );
                let want = if *method == "GET" && *target == "/api/health" {
                    200
                } else {
                    401
                };
                let answer = server.raw(&request).await;
                assert_eq!(status(&answer), want, "{request}{answer}");
                assert!(
                    !answer.contains("set-cookie") && !answer.contains(&token),
                    "{answer}"
                );
            }
        }
    }
    let both = format!("/api/nowhere?token=wrong&token={token}");
    assert_eq!(status(&server.ask("GET", &both, "").await), 401);
    assert_eq!(status(&server.ask("GET", "/api/nowhere?token=", "").await), 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_line_that_names_another_server_is_foreign() {
    let server = Server::start();
    let own = format!("127.0.0.1:{}", server.port());
    for (target, want) in [
        ("http://evil.example/api/health".to_owned(), 403),
        (format!("https://{own}/api/health"), 403),
        (format!("http://user@{own}/api/health"), 400),
        (format!("http://{own}/api/health"), 200),
    ] {
        assert_eq!(status(&server.ask("GET", &target, "").await), want, "{target}");
    }
    assert_eq!(status(&server.ask("CONNECT", "evil.example:80", "").await), 403);
    assert_eq!(status(&server.raw("GET /api/health HTTP/1.0\r\n\r\n").await), 400);
    for nonsense in [
        "nonsense\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = server.raw(nonsense).await;
        assert!(answer.is_empty() || status(&answer) == 400, "{nonsense}{answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_opens_by_header_cookie_and_query() {
    let server = Server::start();
    let (port, token) = (server.port(), server.token());
    for head in [
        format!("GET /api/nowhere HTTP/1.1\r\nHost: localhost\r\nauthorization: bearer {token}\r\n"),
        format!(
            "GET /api/nowhere HTTP/1.1\r\nHost: [::1]:{port}\r\nCookie: a=b; chatstats_{port}={token}\r\n"
        ),
        format!("GET /api/nowhere?x=1&token={token} HTTP/1.1\r\nHost: LOCALHOST:{port}\r\n"),
        format!(
            "GET /api/nowhere?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://localhost:{port}\r\n"
        ),
        format!(
            "GET /api/nowhere?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer old\r\n"
        ),
    ] {
        let answer = server.raw(&format!("{head}Connection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), 404, "{head}{answer}");
        assert!(
            answer.contains("application/problem+json") && !answer.contains("access-control"),
            "{answer}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_the_token_in_its_address_gets_a_cookie_and_a_clean_address() {
    let server = Server::start();
    let (port, token) = (server.port(), server.token());
    for (target, location) in [
        (format!("/?token={token}"), "/"),
        (
            format!("/chats/1?a=%20b&token={token}&c=d"),
            "/chats/1?a=%20b&c=d",
        ),
        (format!("//evil.example/?token={token}"), "/evil.example/"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        let answer = server.raw(&head).await;
        assert_eq!(status(&answer), 303, "{answer}");
        assert!(answer.contains(&format!("location: {location}\r\n")), "{answer}");
        let cookie = format!(
            "set-cookie: chatstats_{port}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict\r\n"
        );
        assert!(answer.contains(&cookie), "{answer}");
        assert!(answer.contains("referrer-policy: no-referrer\r\n"), "{answer}");
    }
    let page = server.ask("GET", "/", "Accept: text/html\r\n").await;
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'self'"),
        "{page}"
    );
    assert!(
        page.contains("x-frame-options: DENY") && page.contains("x-content-type-options: nosniff"),
        "{page}"
    );
    let refused = server
        .raw("GET /chats HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        status(&refused) == 401 && refused.contains("chatstats open"),
        "{refused}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_origin_may_read_and_no_other() {
    let server =
        Server::start_with("allowed_origins = [\"https://dash.example\"]\nallowed_hosts = [\"chat.lan\"]\n");
    let (port, token) = (server.port(), server.token());
    let origin = "Origin: https://dash.example\r\n";
    let answer = server.ask("GET", "/api/health", origin).await;
    assert!(
        answer.contains("access-control-allow-origin: https://dash.example\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("access-control-allow-credentials: true\r\n") && answer.contains("vary: Origin"),
        "{answer}"
    );
    let preflight = format!("{origin}Access-Control-Request-Method: POST\r\n");
    let answer = server
        .ask(
            "OPTIONS",
            &format!("/api/live-sync/messages?token={token}"),
            &preflight,
        )
        .await;
    assert!(
        status(&answer) == 204 && answer.contains("access-control-allow-methods: "),
        "{answer}"
    );
    let unknown =
        format!("OPTIONS /api/x HTTP/1.1\r\nHost: localhost\r\n{preflight}Connection: close\r\n\r\n");
    assert_eq!(status(&server.raw(&unknown).await), 401);
    let stream = server.stream("/api/live-sync/stream/chats", origin).await;
    assert!(
        stream
            .head
            .contains("access-control-allow-origin: https://dash.example\n"),
        "{}",
        stream.head
    );
    for other in [
        "https://evil.example",
        "http://dash.example",
        "https://dash.example:444",
        "null",
    ] {
        let answer = server
            .ask("GET", "/api/health", &format!("Origin: {other}\r\n"))
            .await;
        assert!(
            status(&answer) == 403 && !answer.contains("access-control"),
            "{answer}"
        );
    }
    for (host, want) in [("chat.lan", 200), ("chat.lan:1", 403), ("evil.lan", 403)] {
        let head = format!("GET /api/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&server.raw(&head).await), want, "{host}");
    }
    let own = format!("Origin: http://chat.lan:{port}\r\n");
    assert_eq!(status(&server.ask("GET", "/api/health", &own).await), 200);
    server.stop().await;
}
