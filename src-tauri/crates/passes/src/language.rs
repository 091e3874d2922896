//! The language of a conversation, where it is certain.

use chatstats_model::Message;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use unicode_segmentation::UnicodeSegmentation;
use whatlang::{Lang, Script};

use crate::pass::json;
use crate::stopwords::{Witness, has_list};
use crate::text::{head, is_laughter, prose, written};
use crate::{Input, Pass, PassError};

/// The pass.
#[derive(Clone, Copy, Debug)]
pub struct LanguagePass;

/// How many messages are looked at, evenly spread over the conversation. More of them change the answer no longer.
const SAMPLE_MESSAGES_MAX: usize = 40;

/// How much text is looked at, in bytes. The time to tell a language grows with it, the certainty does not.
const SAMPLE_BYTES_MAX: usize = 1_600;

/// So much of each message, however many there are: less is hardly a sentence.
const MESSAGE_BYTES_MIN: usize = 64;

/// With fewer letters than these, trigrams say little about languages that share a script.
const LETTERS_MIN: usize = 20;

/// A script with one language, or nearly one, needs only enough letters not to be a word in passing.
const LETTERS_OF_OWN_SCRIPT_MIN: usize = 6;

/// Languages whose small words are not also those of a near relative that has no list, as Spanish has Catalan, Dutch
/// Afrikaans and Russian Ukrainian: here small words are enough.
const DISTINCT: [&str; 4] = ["de", "en", "fr", "it"];

/// Result of the pass `language`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Language {
    /// ISO 639-1, or ISO 639-3 where the language has no shorter code. None where it is not certain: too little text,
    /// several languages, or one that is not known.
    pub language: Option<String>,
    /// How certain, from 0 to 1 with two decimals. 0 without a language.
    pub confidence: f64,
}

impl Pass for LanguagePass {
    fn name(&self) -> &'static str {
        "language"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "The language, where it is certain."
    }

    fn priority(&self) -> u8 {
        40
    }

    fn run(&self, input: &Input<'_>) -> Result<String, PassError> {
        json(&language(input.messages))
    }
}

/// Tells the language of what was written.
///
/// Two witnesses are heard: small words, which hardly err and know the languages that have a list, and trigrams, which
/// know 70 languages, err on short texts and take most of the time. What only one of them says must be said clearly.
pub(crate) fn language(messages: &[Message]) -> Language {
    let sample = sample(messages);
    let mut witness = Witness::default();
    sample.unicode_words().for_each(|word| witness.hear(word));
    let small = witness.says();
    let clear = small.hits >= 5 && small.share >= 0.4 && small.margin >= 0.6;
    if clear && DISTINCT.contains(&small.language) {
        return answer(Some(small.language), small.margin);
    }
    let Some(trigrams) = whatlang::detect(&sample) else {
        return Language::default();
    };
    let (language, confidence) = (code(trigrams.lang()), trigrams.confidence());
    let letters = sample.chars().filter(|c| c.is_alphabetic()).count();
    let said = if is_own_script(trigrams.script()) {
        confidence >= 0.9 && letters >= LETTERS_OF_OWN_SCRIPT_MIN
    } else if letters < LETTERS_MIN {
        false
    } else if language == small.language {
        let certain = confidence >= 0.9 && small.share >= 0.15 && small.margin >= 0.4;
        let likely = confidence >= 0.15 && small.hits >= 4 && small.share >= 0.3 && small.margin >= 0.5;
        certain || likely || clear
    } else {
        // Of a language without a list there must be no sign of one with a list.
        confidence >= 0.9 && !has_list(language) && small.share < 0.25
    };
    let agreed = if language == small.language {
        small.margin
    } else {
        0.0
    };
    answer(said.then_some(language), confidence.max(agreed))
}

fn answer(language: Option<&'static str>, confidence: f64) -> Language {
    Language {
        language: language.map(str::to_owned),
        confidence: if language.is_some() {
            (confidence.clamp(0.0, 1.0) * 100.0).round() / 100.0
        } else {
            0.0
        },
    }
}

/// What was written, in lower case, without what belongs to no language: addresses, mentions, digits, emoji, laughter.
fn sample(messages: &[Message]) -> String {
    let texts: Vec<&str> = messages.iter().filter_map(written).collect();
    let step = texts.len().div_ceil(SAMPLE_MESSAGES_MAX).max(1);
    let picked = texts.len().div_ceil(step).max(1);
    let each_bytes = (SAMPLE_BYTES_MAX / picked).max(MESSAGE_BYTES_MIN);
    let mut sample = String::with_capacity(SAMPLE_BYTES_MAX);
    for text in texts.into_iter().step_by(step) {
        for word in prose(head(text, each_bytes)).unicode_words() {
            let word = word.to_lowercase().replace('’', "'");
            if word.chars().all(|c| c.is_alphabetic() || c == '\'' || is_mark(c)) && !is_laughter(&word) {
                sample.push_str(&word);
                sample.push(' ');
            }
        }
    }
    sample.truncate(sample.floor_char_boundary(SAMPLE_BYTES_MAX));
    sample
}

/// Vowel signs and accents that are characters of their own, as in Hindi and Thai.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// Scripts that are written by one language, or by several of which one is far more common in chats.
fn is_own_script(script: Script) -> bool {
    !matches!(
        script,
        Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari | Script::Hebrew
    )
}

/// ISO 639-1 for what `whatlang` calls by ISO 639-3.
fn code(language: Lang) -> &'static str {
    match language {
        Lang::Afr => "af",
        Lang::Aka => "ak",
        Lang::Amh => "am",
        Lang::Ara => "ar",
        Lang::Aze => "az",
        Lang::Bel => "be",
        Lang::Ben => "bn",
        Lang::Bul => "bg",
        Lang::Cat => "ca",
        Lang::Ces => "cs",
        Lang::Cmn => "zh",
        Lang::Cym => "cy",
        Lang::Dan => "da",
        Lang::Deu => "de",
        Lang::Ell => "el",
        Lang::Eng => "en",
        Lang::Epo => "eo",
        Lang::Est => "et",
        Lang::Fin => "fi",
        Lang::Fra => "fr",
        Lang::Guj => "gu",
        Lang::Heb => "he",
        Lang::Hin => "hi",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Hye => "hy",
        Lang::Ind => "id",
        Lang::Ita => "it",
        Lang::Jav => "jv",
        Lang::Jpn => "ja",
        Lang::Kan => "kn",
        Lang::Kat => "ka",
        Lang::Khm => "km",
        Lang::Kor => "ko",
        Lang::Lat => "la",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Mal => "ml",
        Lang::Mar => "mr",
        Lang::Mkd => "mk",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Nld => "nl",
        Lang::Nob => "nb",
        Lang::Ori => "or",
        Lang::Pan => "pa",
        Lang::Pes => "fa",
        Lang::Pol => "pl",
        Lang::Por => "pt",
        Lang::Ron => "ro",
        Lang::Rus => "ru",
        Lang::Sin => "si",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Sna => "sn",
        Lang::Spa => "es",
        Lang::Srp => "sr",
        Lang::Swe => "sv",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Tgl => "tl",
        Lang::Tha => "th",
        Lang::Tuk => "tk",
        Lang::Tur => "tr",
        Lang::Ukr => "uk",
        Lang::Urd => "ur",
        Lang::Uzb => "uz",
        Lang::Vie => "vi",
        Lang::Yid => "yi",
        Lang::Zul => "zu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{message, turns};

    /// Lines of `language<TAB>message | message`; `-` where there is none to tell.
    const LABELLED: &str = include_str!("../tests/data/language.tsv");

    fn check(line: &str) -> (&str, Option<String>) {
        let (label, text) = line.split_once('\t').expect("a label, a tab, a text");
        let messages = turns(&text.split(" | ").collect::<Vec<_>>());
        (label, language(&messages).language)
    }

    #[test]
    fn no_conversation_is_given_a_wrong_language() {
        for line in LABELLED.lines() {
            let (label, found) = check(line);
            assert!(
                found.is_none() || found.as_deref() == Some(label),
                "{found:?} of {line}"
            );
        }
    }

    #[test]
    fn nine_of_ten_short_conversations_in_a_language_with_a_list_are_given_theirs() {
        let labelled = LABELLED.lines().map(|line| (line, check(line)));
        let (known, missed): (Vec<_>, Vec<_>) = labelled
            .filter(|(_, (label, _))| has_list(label))
            .partition(|(_, (_, found))| found.is_some());
        println!("{} of {}", known.len(), known.len() + missed.len());
        assert!(
            known.len() >= missed.len() * 9,
            "{} known, missed: {missed:#?}",
            known.len()
        );
    }

    #[test]
    fn two_languages_in_turn_are_none() {
        let english = "yeah i think that would be fine with me, what about the others though";
        let german = "ja das wäre für mich auch in ordnung, aber was ist denn mit den anderen";
        let mixed = language(&turns(&[english, german, english, german]));
        assert_eq!(mixed, Language::default());
    }

    #[test]
    fn a_long_conversation_is_sampled_from_its_beginning_to_its_end() {
        let mut lines = vec!["das ist ja wirklich nicht so schlimm wie ich gedacht habe"; 30];
        lines.extend(vec![
            "that is not nearly as bad as i thought it would be, you know";
            3_000
        ]);
        assert_eq!(language(&turns(&lines)).language.as_deref(), Some("en"));
    }

    #[test]
    fn placeholders_of_the_app_are_not_read() {
        let mut deleted = message(
            0,
            1,
            "Diese Nachricht wurde von dem, der sie geschrieben hat, gelöscht",
        );
        deleted.kind = chatstats_model::Kind::Deleted;
        assert_eq!(language(&[deleted]), Language::default());
    }
}
