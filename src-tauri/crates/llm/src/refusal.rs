//! Why there is no answer, and what follows from it.

use std::time::Duration;

use chatstats_passes::PassError;

use crate::client::{NoResponse, Response};

/// How long a bill takes to be paid, at the least.
const UNPAID_WAIT: Duration = Duration::from_secs(3_600);

/// What a server says in an error, in characters: enough to be understood.
const EXCERPT_CHARS: usize = 240;

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The server is busy or away. It is left alone for a while, for the time it names if it names one.
    Busy(String, Option<Duration>),
    /// No answer in time: the server has too much to do.
    Late(String),
    /// Something else that may be gone next time.
    Failed(String),
    /// The server does not know something about the request; another form of it may do.
    Unknown(String),
    /// It will be the same next time, for this conversation.
    Never(String),
    /// It will be the same for every conversation, until the user changes something.
    Closed(String),
    /// Not before this time has passed.
    NotNow(String, Duration),
}

impl Refusal {
    /// From a response that is no success.
    pub(crate) fn of(response: &Response) -> Refusal {
        let status = response.status;
        let said = excerpt(&response.body);
        let told = |advice: &str| format!("the server answers {status}{said}{advice}");
        match status.as_u16() {
            429 | 503 | 529 => Refusal::Busy(told(""), response.retry_after),
            408 | 504 => Refusal::Late(told("")),
            402 => Refusal::NotNow(told(": its account needs money"), UNPAID_WAIT),
            400 | 422 if is_too_long(&response.body) => Refusal::Never(told(
                ": set context_tokens to what the model takes, or start the server with a larger context",
            )),
            400 | 422 => Refusal::Unknown(told("")),
            401 | 403 => Refusal::Closed(told(": check api_key, and that it may use this model")),
            404 => Refusal::Closed(told(": check base_url, and that the server has this model")),
            413 => Refusal::Never(told(": the question is too long for it; lower context_tokens")),
            300..=399 => Refusal::Closed(told(
                ": it points to another address, which is not followed; set base_url to the right one",
            )),
            _ if status.is_server_error() => Refusal::Failed(told("")),
            _ => Refusal::Never(told("")),
        }
    }

    /// For a pass: what its task should do.
    pub(crate) fn into_error(self) -> PassError {
        match self {
            Refusal::Busy(error, wait) => PassError::NotNow {
                error,
                wait: wait.unwrap_or_default(),
            },
            Refusal::NotNow(error, wait) => PassError::NotNow { error, wait },
            Refusal::Late(error) | Refusal::Failed(error) => PassError::Transient(error),
            Refusal::Unknown(error) | Refusal::Never(error) | Refusal::Closed(error) => {
                PassError::Permanent(error)
            }
        }
    }

    /// What is wrong, for people.
    pub(crate) fn text(&self) -> &str {
        match self {
            Refusal::Busy(text, _) | Refusal::NotNow(text, _) => text,
            Refusal::Late(text) | Refusal::Failed(text) => text,
            Refusal::Unknown(text) | Refusal::Never(text) | Refusal::Closed(text) => text,
        }
    }

    /// The same with another text.
    pub(crate) fn map_text(self, change: impl Fn(&str) -> String) -> Refusal {
        let changed = change(self.text());
        match self {
            Refusal::Busy(_, wait) => Refusal::Busy(changed, wait),
            Refusal::NotNow(_, wait) => Refusal::NotNow(changed, wait),
            Refusal::Late(_) => Refusal::Late(changed),
            Refusal::Failed(_) => Refusal::Failed(changed),
            Refusal::Unknown(_) => Refusal::Unknown(changed),
            Refusal::Never(_) => Refusal::Never(changed),
            Refusal::Closed(_) => Refusal::Closed(changed),
        }
    }
}

impl From<NoResponse> for Refusal {
    fn from(none: NoResponse) -> Self {
        match none {
            NoResponse::Unreachable(_) => Refusal::Busy(none.to_string(), None),
            NoResponse::CutOff(_) => Refusal::Failed(none.to_string()),
            NoResponse::TooLong => Refusal::Failed(none.to_string()),
        }
    }
}

/// Whether a server complains about the length of the question. OpenAI, llama.cpp, vLLM and LM Studio all name the
/// context.
fn is_too_long(body: &[u8]) -> bool {
    let said = String::from_utf8_lossy(body).to_ascii_lowercase();
    said.contains("context length")
        || said.contains("context_length")
        || said.contains("context size")
        || said.contains("context_size")
        || said.contains("context window")
}

/// What a server says in the body of an error: its `error.message`, or the start of the text.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let json: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let message = json.as_ref().and_then(|json| {
        let error = &json["error"];
        error["message"]
            .as_str()
            .or(error.as_str())
            .or(json["message"].as_str())
    });
    let words: Vec<_> = message.unwrap_or(&text).split_whitespace().collect();
    let said: String = words.join(" ").chars().take(EXCERPT_CHARS).collect();
    if said.is_empty() {
        said
    } else {
        format!(" ({said})")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;

    fn of(status: u16, body: &'static str) -> Refusal {
        Refusal::of(&Response {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after: None,
            body: Bytes::from_static(body.as_bytes()),
        })
    }

    #[test]
    fn each_status_leads_where_it_should() {
        for (status, wanted) in [
            (429, "Busy"),
            (503, "Busy"),
            (529, "Busy"),
            (504, "Late"),
            (500, "Failed"),
            (502, "Failed"),
            (400, "Unknown"),
            (422, "Unknown"),
            (401, "Closed"),
            (403, "Closed"),
            (404, "Closed"),
            (307, "Closed"),
            (402, "NotNow"),
            (413, "Never"),
            (405, "Never"),
        ] {
            let refusal = format!("{:?}", of(status, ""));
            assert!(refusal.starts_with(wanted), "{status}: {refusal}");
        }
        let too_long = of(
            400,
            r#"{"error":{"message":"maximum context length is 4096 tokens"}}"#,
        );
        assert!(
            matches!(&too_long, Refusal::Never(text) if text.contains("context_tokens")),
            "{too_long:?}"
        );
    }

    #[test]
    fn the_servers_own_words_are_kept_short() {
        for (body, said) in [
            (r#"{"error":{"message":"no such\n model"}}"#, " (no such model)"),
            (r#"{"error":"no such model"}"#, " (no such model)"),
            (r#"{"message":"no such model"}"#, " (no such model)"),
            ("<h1>Bad Gateway</h1>", " (<h1>Bad Gateway</h1>)"),
            ("", ""),
        ] {
            assert_eq!(excerpt(body.as_bytes()), said);
        }
        assert_eq!(
            excerpt("x".repeat(9_999).as_bytes()).chars().count(),
            EXCERPT_CHARS + 3
        );
    }
}
