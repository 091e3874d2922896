//! Host names and origins: what counts as this server, and who else is let in.

/// A name the server goes by besides the loopback names: `chat.example.org`, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllowedHost(Host);

/// Another page's origin that may use the server: `https://dashboard.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllowedOrigin(Origin);

/// A name in lower case and a port, where one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

/// A scheme, and a host whose port is given where the scheme implies one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: Host,
}

/// The names of the loopback interface, as browsers write them.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

impl AllowedHost {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let host = Host::parse(text).map(Self);
        host.ok_or_else(|| {
            format!("{text:?} is not a host; it looks like chat.example.org or 192.168.1.5:8765")
        })
    }
}

impl AllowedOrigin {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Err(
                "* would let every page on the internet read your chats; name each origin".to_owned(),
            );
        }
        let origin = Origin::parse(text).map(Self);
        origin
            .ok_or_else(|| format!("{text:?} is not an origin; it looks like https://dashboard.example.org"))
    }
}

impl Host {
    /// `name`, `name:port`, `[v6]` or `[v6]:port`, and nothing else: no user, no path, no spaces.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let end = rest.find(']')?;
                rest[..end].parse::<std::net::Ipv6Addr>().ok()?;
                (
                    &text[..end + 2],
                    rest[end + 1..]
                        .strip_prefix(':')
                        .or(rest[end + 1..].is_empty().then_some("")),
                )
            }
            None => match text.split_once(':') {
                Some((name, port)) => (name, Some(port).filter(|port| !port.is_empty())),
                None => (text, Some("")),
            },
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        if name.is_empty()
            || !name.bytes().all(plain)
            || (!name.starts_with('[') && name.contains(['[', ']']))
        {
            return None;
        }
        let port = match port? {
            "" if text.ends_with(':') => return None,
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }

    /// Whether the server that listens on `port` goes by this name.
    pub(super) fn is_own(&self, port: u16, allowed: &[AllowedHost]) -> bool {
        let own_port = self.port.is_none_or(|p| p == port);
        (own_port && LOOPBACK_NAMES.contains(&self.name.as_str()))
            || allowed.iter().any(|AllowedHost(host)| {
                host.name == self.name && host.port.map_or(own_port, |p| self.port == Some(p))
            })
    }
}

impl Origin {
    /// `scheme://host` or `scheme://host:port`, and nothing else; so not `null`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, host) = text.split_once("://")?;
        if scheme.is_empty()
            || !scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return None;
        }
        let (scheme, mut host) = (scheme.to_ascii_lowercase(), Host::parse(host)?);
        host.port = host.port.or(match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        Some(Self { scheme, host })
    }

    /// Whether a page of this origin came from the server that listens on `port`.
    pub(super) fn is_own(&self, port: u16, allowed: &[AllowedHost]) -> bool {
        // The port is never implied here: a page on another port of this machine is somebody else's.
        self.scheme == "http" && self.host.port.is_some() && self.host.is_own(port, allowed)
    }

    pub(super) fn is_allowed(&self, allowed: &[AllowedOrigin]) -> bool {
        allowed.iter().any(|AllowedOrigin(origin)| origin == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_host_is_a_host() {
        let host = |name: &str, port| {
            Some(Host {
                name: name.to_owned(),
                port,
            })
        };
        assert_eq!(Host::parse("LocalHost:8765"), host("localhost", Some(8765)));
        assert_eq!(Host::parse("[::1]"), host("[::1]", None));
        assert_eq!(Host::parse("[::1]:80"), host("[::1]", Some(80)));
        for text in [
            "", ":80", "a:", "a:b", "a:+1", "a:65536", "a:1:2", "a b", "u@a", "a/b", "[::1", "[::1]x",
            "[::1]:", "[x]", "a]", "::1", "ä", "a:80 ",
        ] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_names_and_configured_ones_are_own() {
        let allowed = ["chat.lan", "proxy.lan:443"].map(|text| AllowedHost::parse(text).expect(text));
        let own = |text: &str| Host::parse(text).expect(text).is_own(8765, &allowed);
        for text in [
            "127.0.0.1:8765",
            "localhost",
            "[::1]:8765",
            "chat.lan",
            "chat.lan:8765",
            "proxy.lan:443",
        ] {
            assert!(own(text), "{text}");
        }
        for text in [
            "127.0.0.1:80",
            "127.0.0.2",
            "localhost.",
            "evil.lan",
            "chat.lan:80",
            "proxy.lan",
            "127.1",
        ] {
            assert!(!own(text), "{text}");
        }
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        let own = |text: &str| Origin::parse(text).is_some_and(|origin| origin.is_own(8765, &[]));
        assert!(own("http://127.0.0.1:8765") && own("http://localhost:8765") && own("http://[::1]:8765"));
        for text in [
            "null",
            "http://127.0.0.1",
            "https://127.0.0.1:8765",
            "http://127.0.0.1:8766",
            "http://127.0.0.1:8765/",
            "http://127.0.0.1:8765.evil.example",
            "http://u@127.0.0.1:8765",
            "file://",
            "127.0.0.1:8765",
            "://localhost",
        ] {
            assert!(!own(text), "{text}");
        }
        assert!(Origin::parse("http://localhost").is_some_and(|origin| origin.is_own(80, &[])));
    }

    #[test]
    fn allowed_origins_match_with_their_implied_port() {
        let allowed = [AllowedOrigin::parse("https://Dash.example").expect("valid")];
        let is_allowed = |text: &str| Origin::parse(text).is_some_and(|origin| origin.is_allowed(&allowed));
        assert!(is_allowed("https://dash.example") && is_allowed("https://dash.example:443"));
        assert!(!is_allowed("http://dash.example") && !is_allowed("https://dash.example:8443"));
    }
}
