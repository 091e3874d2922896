//! How many tokens a text has, guessed.

/// About as many tokens as a model's tokenizer makes of a text, rather more than fewer: models differ, none is at
/// hand, and a question that is too long is cut off or refused. English has four letters to a token, chat with its
/// slips and signs about three; two-byte scripts take two tokens to three letters, those of three bytes about four
/// to three, and an emoji three.
pub(crate) fn estimate(text: &str) -> u64 {
    let thirds: u64 = text.chars().map(thirds).sum();
    thirds.div_ceil(3)
}

/// The longest start of a text that has at most so many tokens by [`estimate`].
pub(crate) fn head(text: &str, tokens_max: u64) -> &str {
    let mut left = tokens_max.saturating_mul(3);
    for (at, c) in text.char_indices() {
        match left.checked_sub(thirds(c)) {
            Some(rest) => left = rest,
            None => return &text[..at],
        }
    }
    text
}

fn thirds(c: char) -> u64 {
    match c.len_utf8() {
        1 => 1,
        2 => 2,
        3 => 4,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_at_most_the_tokens_asked_for_and_one_more_character_has_more() {
        for text in ["plain words", "Übergrößenträger", "今日は晴れ", "😂😂😂", ""] {
            for most in 0..12 {
                let kept = head(text, most);
                assert!(estimate(kept) <= most, "{kept}");
                if let Some(next) = text[kept.len()..].chars().next() {
                    assert!(estimate(&format!("{kept}{next}")) > most, "{kept} {next}");
                }
            }
            assert_eq!(head(text, 100), text);
        }
    }
}
