//! What every answer tells the browser about what it may do with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap,
    HeaderName, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_AGE_S: &str = "600";

/// The Content-Security-Policy of the pages.
#[derive(Clone, Debug)]
pub(crate) struct PagePolicy(HeaderValue);

impl PagePolicy {
    /// A policy that lets a page run its own files and just the inline scripts that stand in `html`.
    pub(crate) fn of(html: &str) -> Self {
        let hashes: String = inline_scripts(html)
            .map(|script| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
            .collect();
        // Style attributes are how a virtual list places its rows; style elements are not allowed.
        let policy = format!(
            "default-src 'none'; script-src 'self'{hashes}; worker-src 'self'; style-src 'self'; \
             style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
             manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        // Base64 and plain ASCII: always a valid header value.
        Self(HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'")))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// The texts of the script elements that have no `src`.
fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    html.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(script)
    })
}

/// Adds what every answer carries. `reader` is the configured foreign origin that asked, if one did.
pub(crate) fn decorate(headers: &mut HeaderMap, reader: Option<HeaderValue>) {
    let fixed = |value| HeaderValue::from_static(value);
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    // The token may stand in the address once: no link may carry it away.
    headers.insert(REFERRER_POLICY, fixed("no-referrer"));
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, fixed("same-origin"));
    headers.insert(
        PERMISSIONS_POLICY,
        fixed("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    );
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(
            CONTENT_SECURITY_POLICY,
            fixed("default-src 'none'; frame-ancestors 'none'"),
        );
    }
    if !headers.contains_key(CACHE_CONTROL) {
        // Chats must not linger in a browser's cache on disk.
        headers.insert(CACHE_CONTROL, fixed("no-store"));
    }
    headers.append(VARY, fixed("Origin"));
    let resource_policy = if reader.is_some() {
        "cross-origin"
    } else {
        "same-origin"
    };
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, fixed(resource_policy));
    if let Some(origin) = reader {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, fixed("true"));
    }
}

/// The answer to a preflight, beside what [`decorate`] adds.
pub(crate) fn preflight() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PATCH, DELETE"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, last-event-id, cache-control"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE_S));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_inline_scripts_and_nothing_looser() {
        let policy = PagePolicy::of(r#"<script src="/a.js"></script><script>alert(1)</script>"#);
        let policy = policy.header();
        let policy = policy.to_str().expect("ascii");
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        assert!(
            policy.contains("script-src 'self' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=';"),
            "{policy}"
        );
        assert_eq!(policy.matches("sha256").count(), 1);
        assert!(!policy.contains("script-src 'unsafe") && !policy.contains('*'));
    }
}
