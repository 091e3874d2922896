//! The words of the question.

use std::sync::LazyLock;

use serde_json::Value;

use crate::tokens;
use crate::transcript::Transcript;

/// Which prompts these are: results of another version are out of date. Changed words are a new folder, because
/// stored results name the version that they were asked with.
pub(crate) const VERSION: u32 = 1;

/// What an answer must look like, as a JSON schema. It holds only what all servers know: bounds are in words, in
/// [`SYSTEM`], and are checked when the answer is read.
pub(crate) static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../prompts/v1/schema.json"))
        .expect("the file is JSON, as the tests show")
});

const SYSTEM: &str = include_str!("../prompts/v1/system.txt");
const QUESTION: &str = include_str!("../prompts/v1/question.txt");
const REPAIR: &str = include_str!("../prompts/v1/repair.txt");

/// What stands for the language where the user has not chosen one.
const SAME_LANGUAGE: &str = "the language in which the conversation is written";

/// Of an answer that cannot be used, in tokens: enough to see where it went wrong.
const WRONG_ANSWER_TOKENS_MAX: u64 = 200;

/// Of what was wrong with it, which may quote it.
const WRONG_TOKENS_MAX: u64 = 60;

/// The longest language that the settings take.
const LANGUAGE_TOKENS_MAX: u64 = 45;

/// The rules, which no conversation is part of.
pub(crate) fn system(language: Option<&str>) -> String {
    fill(SYSTEM, "language", language.unwrap_or(SAME_LANGUAGE))
}

/// The question: the conversation, between two lines that nothing in it can imitate, and what is asked once more,
/// because models heed most what comes last.
pub(crate) fn question(transcript: &Transcript) -> String {
    fill(QUESTION, "transcript", transcript.text.trim_end())
}

/// What the model is shown of an answer that cannot be used.
pub(crate) fn shown(answer: &str) -> String {
    tokens::head(answer, WRONG_ANSWER_TOKENS_MAX).to_owned()
}

/// What is said to such an answer.
pub(crate) fn repair(wrong: &str) -> String {
    fill(REPAIR, "wrong", tokens::head(wrong, WRONG_TOKENS_MAX))
}

/// Tokens of all calls about a conversation besides the conversation itself, so that also the second one, which holds
/// the first answer, is no longer than the model takes.
pub(crate) fn frame_tokens() -> u64 {
    /// What chat templates add to four messages.
    const MARKS: u64 = 48;
    let first = tokens::estimate(SYSTEM) + tokens::estimate(QUESTION) + LANGUAGE_TOKENS_MAX;
    let second = WRONG_ANSWER_TOKENS_MAX + tokens::estimate(REPAIR) + WRONG_TOKENS_MAX;
    first + second + MARKS
}

/// Puts a value in the place of `{{name}}`. What the value holds is never looked at again.
fn fill(template: &str, name: &str, value: &str) -> String {
    match template.split_once(&format!("{{{{{name}}}}}")) {
        Some((before, after)) => format!("{before}{value}{after}"),
        None => template.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_template_has_its_one_place() {
        for (template, name) in [(SYSTEM, "language"), (QUESTION, "transcript"), (REPAIR, "wrong")] {
            assert_eq!(template.matches("{{").count(), 1, "{name}");
            assert!(template.contains(&format!("{{{{{name}}}}}")), "{name}");
        }
    }

    #[test]
    fn a_value_that_looks_like_a_place_stays_as_it_is() {
        assert_eq!(fill("a {{x}} b", "x", "{{x}}"), "a {{x}} b");
        assert!(repair("{{transcript}}").contains("{{transcript}}"));
    }
}
