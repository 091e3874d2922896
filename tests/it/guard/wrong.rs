//! What the guard must not take: heads and credentials that are wrong in one point.

use chatstats_tests::Server;

/// Heads with a wrong `Host`, or without one.
pub(super) fn hosts(port: u16) -> Vec<String> {
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let long = "a.".repeat(20_000);
    let mut heads: Vec<_> = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("127.0.0.1:{port}.evil.example"),
        "127.0.0.1:1".to_owned(),
        "localhost:1".to_owned(),
        format!("localhost.:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@evil.example"),
        format!("127.0.0.1:{port}/x"),
        format!("http://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}, evil.example"),
        format!("127.0.0.1 :{port}"),
        "127.0.0.1:".to_owned(),
        "127.0.0.1:99999".to_owned(),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("ⓛocalhost:{port}"),
        "null".to_owned(),
        String::new(),
        long,
    ]
    .iter()
    .map(|host| format!("Host: {host}\r\n"))
    .collect();
    heads.extend([
        String::new(),
        own.repeat(2),
        format!("{own}Host: evil.example\r\n"),
    ]);
    heads
}

/// Heads with a wrong `Origin`.
pub(super) fn origins(port: u16) -> Vec<String> {
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let mut heads: Vec<_> = [
        "null".to_owned(),
        "http://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        "http://127.0.0.1".to_owned(),
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost.:{port}"),
        format!("http://user@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port} http://evil.example"),
        format!("127.0.0.1:{port}"),
        format!("http://ⓛocalhost:{port}"),
        "file://".to_owned(),
        "*".to_owned(),
        String::new(),
        "http://".to_owned() + &"a".repeat(40_000),
    ]
    .iter()
    .map(|origin| format!("{own}Origin: {origin}\r\n"))
    .collect();
    heads.push(format!(
        "{own}Origin: http://127.0.0.1:{port}\r\nOrigin: http://evil.example\r\n"
    ));
    heads
}

/// Credentials that are none.
pub(super) fn tokens(server: &Server) -> Vec<String> {
    let (port, token) = (server.addr().port(), server.token());
    vec![
        String::new(),
        "Authorization: \r\n".to_owned(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer wrong\r\n".to_owned(),
        format!("Authorization: Bearer {token}x\r\n"),
        format!("Authorization: Bearer {}\r\n", &token[1..]),
        format!("Authorization: Bearer {}\r\n", token.to_uppercase()),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        format!("Authorization: Bearer {token}, Bearer {token}\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
        "Authorization: Bearer \u{1F511}\r\n".to_owned(),
        format!("Cookie: chatstats_{port}=wrong\r\n"),
        format!("Cookie: chatstats_{port}\r\n"),
        format!("Cookie: chatstats={token}; chatstats_1={token}; token={token}\r\n"),
        format!("Authorization: Bearer wrong\r\nCookie: chatstats_{port}={token}\r\n"),
        format!("X-Token: {token}\r\nReferer: http://127.0.0.1:{port}/?token={token}\r\n"),
    ]
}
