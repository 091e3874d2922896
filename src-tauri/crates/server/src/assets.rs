//! The pages: what `npm run build` made in `ui/build`, embedded into the program.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, IF_NONE_MATCH, VARY,
};
use hyper::{StatusCode, Uri};
use rust_embed::RustEmbed;

use crate::guard::{PagePolicy, accepts_html, is_api};
use crate::problem::ApiError;

/// The Content-Security-Policy of scripts: what a worker made of one may do. It holds the event streams of all tabs.
const SCRIPT_POLICY: &str =
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

/// The page that every address of the app shows; the rest is done in the browser.
const INDEX: &str = "index.html";

/// Files below have their content's hash in their name: they never change.
const IMMUTABLE: &str = "_app/immutable/";

/// Encodings in the order of preference, with the endings that the build gives to compressed files.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

#[derive(RustEmbed)]
#[folder = "../../../ui/build"]
#[allow_missing = true]
struct Files;

/// The pages, with what has to be worked out about them once.
pub(crate) struct Pages {
    policy: PagePolicy,
}

impl Pages {
    pub(crate) fn load() -> Self {
        let index = Files::get(INDEX).map(|file| file.data);
        let html = index
            .as_deref()
            .map_or(NOT_BUILT, |data| std::str::from_utf8(data).unwrap_or_default());
        Self {
            policy: PagePolicy::of(html),
        }
    }

    /// The file at this address; the app's page at any other that a browser wants to show.
    pub(crate) fn get(&self, uri: &Uri, headers: &HeaderMap) -> Response {
        let path = uri.path().trim_start_matches('/');
        let missing = || ApiError::NotFound(format!("{:?}", uri.path())).into_response();
        if is_api(uri.path()) {
            return missing();
        }
        let compressed = ENCODINGS.iter().any(|(_, ending)| path.ends_with(ending));
        if !path.is_empty()
            && path != INDEX
            && !compressed
            && let Some(file) = find(path, headers)
        {
            // A worker is bound by the policy of its own script, not by that of the page that starts it.
            let policy = path
                .ends_with(".js")
                .then(|| HeaderValue::from_static(SCRIPT_POLICY));
            return file.answer(headers, policy);
        }
        if !accepts_html(headers) && !path.is_empty() {
            return missing();
        }
        let index = find(INDEX, headers).unwrap_or_else(File::not_built);
        index.answer(headers, Some(self.policy.header()))
    }
}

/// A file to be sent.
struct File {
    data: Bytes,
    etag: String,
    encoding: Option<&'static str>,
    content_type: &'static str,
    immutable: bool,
}

fn find(path: &str, headers: &HeaderMap) -> Option<File> {
    let plain = Files::get(path)?;
    let packed = ENCODINGS.iter().filter(|(name, _)| accepts(headers, name));
    let packed = packed
        .filter_map(|(name, ending)| Some((*name, Files::get(&format!("{path}{ending}"))?)))
        .next();
    let (encoding, file) = packed.map_or((None, plain), |(name, file)| (Some(name), file));
    let hash = file.metadata.sha256_hash();
    let etag = format!(
        "\"{}\"",
        hash[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    );
    let data = match file.data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data),
    };
    Some(File {
        data,
        etag,
        encoding,
        content_type: content_type(path),
        immutable: path.starts_with(IMMUTABLE),
    })
}

impl File {
    fn not_built() -> Self {
        Self {
            data: Bytes::from_static(NOT_BUILT.as_bytes()),
            etag: "\"not-built\"".to_owned(),
            encoding: None,
            content_type: content_type(INDEX),
            immutable: false,
        }
    }

    fn answer(self, asked: &HeaderMap, policy: Option<HeaderValue>) -> Response {
        let known = asked.get_all(IF_NONE_MATCH).iter().any(|value| {
            value.to_str().is_ok_and(|tags| {
                tags.split(',')
                    .any(|tag| tag.trim().trim_start_matches("W/") == self.etag)
            })
        });
        let mut response = Response::new(if known {
            Body::empty()
        } else {
            Body::from(self.data)
        });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        // Pages are asked for again each time, and answered with "not modified": an update shows at once.
        let caching = if self.immutable {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(ETAG, etag);
        }
        if let Some(encoding) = self.encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        if let Some(policy) = policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// Whether the client takes this encoding: named, and not with a weight of zero.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let listed = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused =
            |weight: &str| weight.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        named && !parts.any(refused)
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// Shown by a program that was built without its pages.
const NOT_BUILT: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>ChatStats: pages not built</title>
<h1>ChatStats runs, but without its pages</h1>
<p>They were not there when the program was compiled. Build them, then the program:</p>
<pre>cd ui
npm ci
npm run build
cd ..
cargo build</pre>
<p>Or let <code>cargo xtask run</code> do both. The API and the command line work all the same.</p>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (
                hyper::header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn encodings_are_taken_as_the_client_weighs_them() {
        let accepts_br = |value| accepts(&headers(&[("accept-encoding", value)]), "br");
        assert!(accepts_br("gzip, deflate, br, zstd") && accepts_br("BR;q=0.5"));
        assert!(!accepts_br("gzip") && !accepts_br("br;q=0, gzip") && !accepts_br("brotli"));
    }

    #[test]
    fn any_address_shows_the_app_and_a_missing_file_is_missing() {
        let pages = Pages::load();
        let status = |path: &'static str, asked| pages.get(&Uri::from_static(path), &headers(asked)).status();
        let browser: &[_] = &[("accept", "text/html,application/xhtml+xml")];
        assert_eq!(status("/", &[]), StatusCode::OK);
        assert_eq!(status("/chats/12", browser), StatusCode::OK);
        assert_eq!(
            status("/_app/immutable/none.js", &[("accept", "*/*")]),
            StatusCode::NOT_FOUND
        );
        assert_eq!(status("/api/none", browser), StatusCode::NOT_FOUND);
        assert_eq!(status("/../Cargo.toml", &[]), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_page_the_browser_has_is_not_sent_again() {
        let pages = Pages::load();
        let first = pages.get(&Uri::from_static("/"), &HeaderMap::new());
        assert!(
            first.headers()[CONTENT_SECURITY_POLICY]
                .to_str()
                .expect("ascii")
                .contains("script-src 'self'")
        );
        let mut asked = HeaderMap::new();
        asked.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        let second = pages.get(&Uri::from_static("/"), &asked);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    }
}
