//! Where Redis is, and how to get in.

use std::fmt;

use std::sync::Arc;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::BusError;

/// An address, understood.
pub(super) struct Address {
    pub(super) info: ConnectionInfo,
    /// For `rediss://`.
    pub(super) tls: Option<Arc<ClientConfig>>,
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
        let shown = shown(&info);
        let tls = match (info.addr(), ca) {
            (ConnectionAddr::TcpTls { insecure: true, .. }, _) => {
                return Err(BusError::Address(
                    "a server whose certificate is not looked at is no server one knows".to_owned(),
                ));
            }
            (ConnectionAddr::TcpTls { .. }, ca) => Some(Arc::new(tls(ca.as_deref())?)),
            (_, None) => None,
            (_, Some(_)) => return Err(BusError::Address("ca= goes with rediss:// only".to_owned())),
        };
        Ok(Self { info, tls, shown })
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

/// With a file of certificates, or with those that the system trusts.
fn tls(ca: Option<&str>) -> Result<ClientConfig, BusError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let wrong = |error: String| BusError::Address(format!("{path}: {error}"));
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate in it".to_owned()));
        }
    } else {
        // Some that it has may be malformed, which is no matter as long as the right one is not.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    // Named, and not the program's default: there may be none, or another.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BusError::Address(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
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
