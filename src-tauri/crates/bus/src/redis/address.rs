//! Where Redis is, and how to get in.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, TlsCertificates};

use crate::BusError;

/// An address, understood.
pub(super) struct Address {
    pub(super) client: Client,
    shown: String,
}

impl Address {
    /// Reads a URL: `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, `unix:///path[?db=&user=&pass=]`.
    /// With TLS, `?ca=/path/to/ca.pem` names who signed the server's certificate, if that is nobody the system knows.
    pub(super) fn parse(url: &str) -> Result<Self, BusError> {
        let parsed = redis::parse_redis_url(url).ok_or_else(|| {
            BusError::Address(
                "it begins with redis://, rediss:// or unix://, and names a host or a path".to_owned(),
            )
        })?;
        let ca = parsed.query_pairs().find(|(name, _)| name == "ca");
        let ca = ca.map(|(_, path)| path.into_owned());
        let info = url.into_connection_info().map_err(wrong)?;
        // Entries are small and are waited for: Nagle's algorithm would hold them back. RESP 2 is what replies are read
        // as here, whatever the URL asks for.
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        let info = info
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
            .set_redis_settings(redis);
        let shown = shown(&info);
        let client = match (info.addr(), ca) {
            (ConnectionAddr::TcpTls { .. }, ca) => with_tls(info, ca.as_deref())?,
            (_, None) => Client::open(info).map_err(wrong)?,
            (_, Some(_)) => return Err(BusError::Address("ca= goes with rediss:// only".to_owned())),
        };
        Ok(Self { client, shown })
    }
}

/// For people and logs: without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn shown(info: &ConnectionInfo) -> String {
    let place = match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        addr => addr.to_string(),
    };
    match info.redis_settings().db() {
        0 => place,
        db => format!("{place}/{db}"),
    }
}

fn with_tls(info: ConnectionInfo, ca: Option<&str>) -> Result<Client, BusError> {
    // Fails where the program has chosen one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(path) = ca else {
        return Client::open(info).map_err(wrong);
    };
    let root = std::fs::read(path).map_err(|error| BusError::Address(format!("{path}: {error}")))?;
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(root),
    };
    Client::build_with_tls(info, certificates).map_err(wrong)
}

/// What is said of it does not repeat the URL, which may hold a password.
fn wrong(error: redis::RedisError) -> BusError {
    BusError::Address(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_password() {
        for (url, wanted) in [
            ("redis://localhost", "localhost:6379"),
            ("redis://:secret@localhost:7000", "localhost:7000"),
            ("redis://someone:secret@10.0.0.1/3", "10.0.0.1:6379/3"),
            ("redis://[::1]:7000", "[::1]:7000"),
            ("rediss://someone:secret@localhost:7000", "localhost:7000"),
            ("unix:///run/redis.sock?db=2&pass=secret", "/run/redis.sock/2"),
        ] {
            let address = Address::parse(url).expect(url);
            assert_eq!(address.to_string(), wanted);
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_repeating_it() {
        for url in [
            "",
            "localhost:6379",
            "http://:secret@localhost",
            "redis://:secret@localhost/x",
            "redis://:secret@localhost:99999",
            "rediss://:secret@localhost?ca=/there/is/none",
            "redis://:secret@localhost?ca=/there/is/none",
            "rediss://:secret@localhost#insecure=1",
        ] {
            let error = Address::parse(url).err().expect(url);
            assert!(matches!(error, BusError::Address(_)), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
