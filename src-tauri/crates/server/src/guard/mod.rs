//! Who gets in. Every request passes here first, whatever its address or method.
//!
//! In this order: is it meant for this server (`Host`), does it come from a page that may ask (`Origin`), does it
//! know the token. Only then does anybody look at what is asked for. The first two keep out the pages of the
//! internet, which can make a browser send requests to this machine; the token keeps out other users and programs.

mod credentials;
mod headers;
mod names;
mod refusal;

use hyper::header::{ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Method, Uri};

pub(crate) use headers::{PagePolicy, decorate, preflight};
pub(crate) use names::{AllowedHost, AllowedOrigin};
pub(crate) use refusal::Refusal;

use crate::config::Config;
use crate::token::Tokens;
use credentials::Offered;
use names::{Host, Origin};

/// The only address that needs no token.
const HEALTH: &str = "/api/health";

/// How long a browser keeps the cookie, in seconds: a year. A rotation of the token ends it at once.
const COOKIE_AGE_S: u32 = 365 * 24 * 3600;

/// What the guard knows of its own house.
pub(crate) struct Guard {
    port: u16,
    hosts: Vec<AllowedHost>,
    origins: Vec<AllowedOrigin>,
    tokens: Tokens,
    cookie: String,
}

/// What is to be done with a request.
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// The configured foreign origin it comes from: that one, and no other, may read the answer.
    pub(crate) reader: Option<HeaderValue>,
    /// The token was rotated since the last request.
    pub(crate) rotated: bool,
}

/// See [`Verdict`].
pub(crate) enum Outcome {
    /// Answer it.
    Pass,
    /// A page was opened with the token in its address: set the cookie, and send it to the address without.
    Welcome { location: String, cookie: String },
    /// A browser asks on behalf of a configured origin whether it may ask.
    Preflight,
    /// Turn it away.
    Refuse(Refusal),
}

impl Guard {
    pub(crate) fn new(config: &Config, port: u16, tokens: Tokens) -> Self {
        Self {
            port,
            hosts: config.allowed_hosts.clone(),
            origins: config.allowed_origins.clone(),
            tokens,
            // Cookies know no ports: without the port in its name, two servers on one machine would overwrite each
            // other's.
            cookie: format!("chatstats_{port}"),
        }
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Looks at a request's head.
    pub(crate) fn look(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let refuse = |refusal| Verdict {
            outcome: Outcome::Refuse(refusal),
            reader: None,
            rotated: false,
        };
        if let Err(refusal) = self.check_host(uri, headers) {
            return refuse(refusal);
        }
        let reader = match self.check_origin(headers) {
            Ok(reader) => reader,
            Err(refusal) => return refuse(refusal),
        };
        if method == Method::GET && uri.path() == HEALTH {
            return Verdict {
                outcome: Outcome::Pass,
                reader,
                rotated: false,
            };
        }
        let offered = credentials::offered(uri.query(), headers, &self.cookie);
        let checked = self.tokens.check(match &offered {
            Offered::Query(token) => Some(token.as_bytes()),
            Offered::Header(token) => Some(token),
            Offered::Nothing => None,
        });
        let outcome = match offered {
            _ if !checked.right => Outcome::Refuse(Refusal::Token {
                to_page: wants_page(method, uri, headers),
            }),
            Offered::Query(_) if is_page(method, uri) => self.welcome(uri),
            _ if reader.is_some() && is_preflight(method, headers) => Outcome::Preflight,
            _ => Outcome::Pass,
        };
        Verdict {
            outcome,
            reader,
            rotated: checked.rotated,
        }
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(Refusal::HostUnclear);
        };
        let host = host
            .to_str()
            .ok()
            .and_then(Host::parse)
            .ok_or(Refusal::HostUnclear)?;
        if !host.is_own(self.port, &self.hosts) {
            return Err(Refusal::HostForeign);
        }
        // `GET http://elsewhere/`: what stands in the request line counts as well.
        let in_line = uri
            .authority()
            .map(|authority| Host::parse(authority.as_str()).ok_or(Refusal::HostUnclear));
        match in_line.transpose()? {
            Some(host) if !host.is_own(self.port, &self.hosts) => Err(Refusal::HostForeign),
            _ if uri.scheme_str().is_some_and(|scheme| scheme != "http") => Err(Refusal::HostForeign),
            _ => Ok(()),
        }
    }

    /// The configured foreign origin the request comes from, if it comes from one.
    fn check_origin(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Refusal> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(value) = origins.next() else {
            return Ok(None);
        };
        let origin = value
            .to_str()
            .ok()
            .and_then(Origin::parse)
            .filter(|_| origins.next().is_none());
        match origin {
            Some(origin) if origin.is_own(self.port, &self.hosts) => Ok(None),
            Some(origin) if origin.is_allowed(&self.origins) => Ok(Some(value.clone())),
            _ => Err(Refusal::OriginForeign),
        }
    }

    fn welcome(&self, uri: &Uri) -> Outcome {
        // One leading slash: `//elsewhere` would lead away from here.
        let path = uri.path().trim_start_matches(['/', '\\']);
        let query = uri.query().and_then(credentials::without_token);
        let location = query.map_or_else(|| format!("/{path}"), |query| format!("/{path}?{query}"));
        let (name, token) = (&self.cookie, self.tokens.current());
        let cookie = format!(
            "{name}={}; Path=/; Max-Age={COOKIE_AGE_S}; HttpOnly; SameSite=Strict",
            token.as_str()
        );
        Outcome::Welcome { location, cookie }
    }
}

/// Whether the address is one of the API, and not one of a page.
pub(crate) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

fn is_page(method: &Method, uri: &Uri) -> bool {
    (method == Method::GET || method == Method::HEAD) && !is_api(uri.path())
}

fn wants_page(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    is_page(method, uri) && accepts_html(headers)
}

/// Whether it is a browser that wants to show the answer.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|value| value.to_str().is_ok_and(|value| value.contains("text/html")))
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
