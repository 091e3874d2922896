//! Where a request may carry the token.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE};

/// The token a request offers, and where.
pub(super) enum Offered<'a> {
    /// `?token=`: wins over the others, so that the printed address heals a browser with an old cookie.
    Query(Cow<'a, str>),
    /// `Authorization` or the cookie.
    Header(&'a [u8]),
    /// None, or something that cannot be a token.
    Nothing,
}

/// Finds the token: in the query, else in `Authorization`, else in the cookie. The first place that has one decides,
/// right or wrong: whoever sends a wrong token is told so, whatever else they send.
pub(super) fn offered<'a>(query: Option<&'a str>, headers: &'a HeaderMap, cookie: &str) -> Offered<'a> {
    let mut in_query = pairs(query)
        .filter(|(name, _)| name == TOKEN_PARAMETER)
        .map(|(_, value)| value);
    if let Some(token) = in_query.next() {
        // Two of them are a riddle, not a token.
        return if in_query.next().is_none() {
            Offered::Query(token)
        } else {
            Offered::Nothing
        };
    }
    let mut in_headers = headers.get_all(AUTHORIZATION).iter();
    if let Some(value) = in_headers.next() {
        let token = bearer(value.as_bytes()).filter(|_| in_headers.next().is_none());
        return token.map_or(Offered::Nothing, Offered::Header);
    }
    in_cookies(headers, cookie).map_or(Offered::Nothing, Offered::Header)
}

/// The query without the token; `None` if nothing is left.
pub(super) fn without_token(query: &str) -> Option<String> {
    let is_token = |part: &&str| pairs(Some(part)).any(|(name, _)| name == TOKEN_PARAMETER);
    let rest: Vec<_> = query
        .split('&')
        .filter(|part| !part.is_empty() && !is_token(part))
        .collect();
    (!rest.is_empty()).then(|| rest.join("&"))
}

const TOKEN_PARAMETER: &str = "token";

fn pairs(query: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
}

/// `Bearer TOKEN` (RFC 6750); the scheme's case does not matter.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then_some(token.trim_ascii())
}

fn in_cookies<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    cookies
        .map(<[u8]>::trim_ascii)
        .find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_loses_its_token_and_nothing_else() {
        assert_eq!(without_token("token=x"), None);
        assert_eq!(
            without_token("a=1&token=x&b=%20&%74oken=y").as_deref(),
            Some("a=1&b=%20")
        );
        assert_eq!(without_token("tokens=x").as_deref(), Some("tokens=x"));
    }
}
