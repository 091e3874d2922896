//! Where the model is asked.

use std::net::IpAddr;

use http::Uri;

/// The address of a server's chat completions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) uri: Uri,
    /// Host and port, for people.
    pub(crate) place: String,
    pub(crate) is_tls: bool,
    /// Whether what is sent there stays on this machine.
    pub(crate) is_here: bool,
}

impl Endpoint {
    /// From a base address as programs print it, such as `http://localhost:11434/v1`. A query is kept.
    ///
    /// # Errors
    ///
    /// It is no such address; the text says why.
    pub(crate) fn parse(base_url: &str) -> Result<Endpoint, String> {
        let uri: Uri = base_url
            .trim()
            .parse()
            .map_err(|_| "it is no address".to_owned())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("it must start with http:// or https://".into()),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("it must hold no name or password: the key has a setting of its own".into());
        }
        let path = uri.path().trim_end_matches('/');
        if path.ends_with("/chat/completions") {
            return Err("it must end before /chat/completions, which is added".into());
        }
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        let full = Uri::builder()
            .scheme(if is_tls { "https" } else { "http" })
            .authority(authority.clone())
            .path_and_query(format!("{path}/chat/completions{query}"))
            .build();
        Ok(Endpoint {
            uri: full.map_err(|error| error.to_string())?,
            place: authority.to_string(),
            is_tls,
            is_here: is_loopback(authority.host()),
        })
    }
}

/// Whether a host is this machine, whatever a name server says. `0.0.0.0` is not: what it means differs between systems.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_this_machine() {
        for (base_url, is_here) in [
            ("http://localhost:11434/v1", true),
            ("http://LOCALHOST:8080/v1/", true),
            ("http://llama.localhost/v1", true),
            ("http://127.0.0.1:1234", true),
            ("http://127.8.9.1:1234", true),
            ("http://[::1]:1234/v1", true),
            ("http://[::ffff:127.0.0.1]:1234/v1", true),
            ("http://0.0.0.0:1234/v1", false),
            ("http://192.168.1.7:11434/v1", false),
            ("http://[::ffff:10.0.0.1]/v1", false),
            ("https://api.example.org/v1", false),
            ("https://localhost.example.org/v1", false),
            ("https://notlocalhost/v1", false),
        ] {
            let endpoint = Endpoint::parse(base_url).expect(base_url);
            assert_eq!(endpoint.is_here, is_here, "{base_url}");
        }
    }

    #[test]
    fn the_path_is_added_and_a_query_kept() {
        for (base_url, uri) in [
            ("http://localhost:1", "http://localhost:1/chat/completions"),
            ("http://localhost:1/v1/", "http://localhost:1/v1/chat/completions"),
            (
                "https://a.example/o?api-version=3",
                "https://a.example/o/chat/completions?api-version=3",
            ),
        ] {
            assert_eq!(Endpoint::parse(base_url).expect(base_url).uri.to_string(), uri);
        }
    }

    #[test]
    fn what_is_no_base_address_is_refused() {
        for base_url in [
            "",
            "localhost:11434",
            "ftp://localhost/v1",
            "http://",
            "/v1",
            "https://me:key@api.example.org/v1",
            "https://api.example.org/v1/chat/completions",
        ] {
            assert!(Endpoint::parse(base_url).is_err(), "{base_url}");
        }
    }
}
