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

/// The rules, which no conversation is part of.
pub(crate) fn system(language: Option<&str>) -> String {
    fill(SYSTEM, "language", language.unwrap_or(SAME_LANGUAGE))
}

/// The question: the conversation, between two lines that nothing in it can imitate, and what is asked once more,
/// because models heed most what comes last.
pub(crate) fn question(transcript: &Transcript) -> String {
    fill(QUESTION, "transcript", transcript.text.trim_end())
}

/// What is said to an answer that cannot be used.
pub(crate) fn repair(wrong: &str) -> String {
    fill(REPAIR, "wrong", wrong)
}

/// Tokens of a question besides the conversation, with room for the servers' own marks between messages.
pub(crate) fn frame_tokens() -> u64 {
    /// What a chat template adds to two messages.
    const MARKS: u64 = 24;
    tokens::estimate(SYSTEM) + tokens::estimate(QUESTION) + tokens::estimate(SAME_LANGUAGE) + MARKS
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
