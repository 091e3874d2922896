//! The chat completions of OpenAI, as far as they are needed, in the dialects that servers speak.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::budget::Tokens;
use crate::prompt;

/// One message of the exchange.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ChatMessage {
    pub(crate) role: &'static str,
    pub(crate) content: String,
}

/// What a server understands of a request. Found out by asking: it begins with all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    format: Format,
    /// Whether it takes a temperature; some hosted models have but one.
    temperature: bool,
    /// Whether the length of an answer is `max_tokens`, as everywhere before, or `max_completion_tokens`.
    max_tokens: bool,
}

/// How the form of the answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// By a schema that the server enforces.
    Schema,
    /// Any JSON object.
    Object,
    /// By the prompt's words alone.
    Words,
}

/// What a model said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) text: String,
    /// The model's name as the server gives it.
    pub(crate) model: Option<String>,
    /// What the server has counted, where it counts.
    pub(crate) tokens: Option<Tokens>,
    /// It stopped because it had said as much as it may.
    pub(crate) is_cut: bool,
    /// It said that it will not answer.
    pub(crate) refusal: Option<String>,
}

impl Dialect {
    pub(crate) const RICHEST: Dialect = Dialect {
        format: Format::Schema,
        temperature: true,
        max_tokens: true,
    };

    /// The next simpler dialect, after a server has refused a request with these words; none if nothing is left to
    /// leave out.
    pub(crate) fn simpler(mut self, said: &str) -> Option<Dialect> {
        let said = said.to_ascii_lowercase();
        if self.temperature && said.contains("temperature") {
            self.temperature = false;
        } else if self.max_tokens && said.contains("max_completion_tokens") {
            self.max_tokens = false;
        } else {
            self.format = match self.format {
                Format::Schema => Format::Object,
                Format::Object => Format::Words,
                Format::Words => return None,
            };
        }
        Some(self)
    }

    /// A request's body.
    pub(crate) fn request(self, model: &str, messages: &[ChatMessage], answer_tokens_max: u32) -> Bytes {
        let mut body = json!({"model": model, "messages": messages, "stream": false});
        let limit = if self.max_tokens {
            "max_tokens"
        } else {
            "max_completion_tokens"
        };
        body[limit] = answer_tokens_max.into();
        if self.temperature {
            // The likeliest answer: a description, not a story.
            body["temperature"] = 0.into();
        }
        match self.format {
            Format::Schema => {
                let named = json!({"name": "description", "strict": true, "schema": *prompt::SCHEMA});
                body["response_format"] = json!({"type": "json_schema", "json_schema": named});
            }
            Format::Object => body["response_format"] = json!({"type": "json_object"}),
            Format::Words => {}
        }
        body.to_string().into()
    }
}

/// Reads a response.
///
/// # Errors
///
/// It is not one of the protocol; the text says what it is.
pub(crate) fn read(body: &[u8]) -> Result<Reply, String> {
    let response: Response = serde_json::from_slice(body)
        .map_err(|error| format!("the server's answer cannot be read: {error}"))?;
    if let Some(error) = response.error.filter(|error| !error.is_null()) {
        let message = error["message"]
            .as_str()
            .or(error.as_str())
            .unwrap_or("no reason given");
        return Err(format!("the server answers with an error: {message}"));
    }
    let choice = response.choices.into_iter().next();
    let choice = choice.ok_or("the server's answer holds no choice")?;
    Ok(Reply {
        text: choice.message.content.unwrap_or_default(),
        model: response.model.filter(|model| !model.is_empty()),
        tokens: response.usage.map(|usage| Tokens {
            question: usage.prompt_tokens,
            answer: usage.completion_tokens,
        }),
        is_cut: choice.finish_reason.as_deref() == Some("length"),
        refusal: choice.message.refusal.filter(|refusal| !refusal.is_empty()),
    })
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    choices: Vec<Choice>,
    model: Option<String>,
    usage: Option<Usage>,
    /// Some go-betweens answer 200 and put the error here.
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(dialect: Dialect) -> Value {
        serde_json::from_slice(&dialect.request("m", &[], 400)).expect("JSON")
    }

    #[test]
    fn what_a_server_does_not_know_is_left_out_piece_by_piece() {
        let first = Dialect::RICHEST;
        assert_eq!(
            body(first)["response_format"]["json_schema"]["schema"]["type"],
            "object"
        );
        let second = first.simpler("unknown response_format").expect("simpler");
        assert_eq!(body(second)["response_format"], json!({"type": "json_object"}));
        let third = second.simpler("'temperature' must be 1").expect("simpler");
        assert_eq!(body(third)["temperature"], Value::Null);
        let fourth = third
            .simpler("use 'max_completion_tokens' instead")
            .expect("simpler");
        assert_eq!(body(fourth)["max_completion_tokens"], 400);
        assert_eq!(body(fourth)["max_tokens"], Value::Null);
        let last = fourth.simpler("no").expect("simpler");
        assert_eq!(body(last)["response_format"], Value::Null);
        assert_eq!(last.simpler("temperature max_completion_tokens"), None);
    }

    #[test]
    fn a_response_is_read_with_and_without_what_is_optional() {
        let full = read(
            br#"{"model":"m-1","choices":[{"message":{"content":"hi"},"finish_reason":"length"}],
                "usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
        );
        let full = full.expect("good");
        assert_eq!(
            (full.text.as_str(), full.is_cut, full.model.as_deref()),
            ("hi", true, Some("m-1"))
        );
        assert_eq!(
            full.tokens,
            Some(Tokens {
                question: 7,
                answer: 2
            })
        );
        let bare = read(br#"{"choices":[{"message":{"content":null,"refusal":"no"}}]}"#).expect("good");
        assert_eq!(
            (bare.text.as_str(), bare.tokens, bare.refusal.as_deref()),
            ("", None, Some("no"))
        );
        for (body, wanted) in [
            (&b"<html>"[..], "cannot be read"),
            (br#"{"choices":[]}"#, "no choice"),
            (br#"{"error":{"message":"overloaded"}}"#, "overloaded"),
            (br#"{"choices":[{}]}"#, "cannot be read"),
        ] {
            let error = read(body).expect_err("bad");
            assert!(error.contains(wanted), "{error}");
        }
    }
}
