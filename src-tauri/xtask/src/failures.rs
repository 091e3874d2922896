//! What test runners print of the tests that did not hold.

use crate::tally::without_colours;

/// Lines that are kept of one runner: those of half a dozen tests. Whoever needs more has the log.
const LINES_MAX: usize = 60;

/// What cargo test, vitest and `node --test` say of failed tests, without empty lines. At most [`LINES_MAX`]; a last one
/// says how many are left out.
pub(crate) fn of(printed: &str) -> Vec<String> {
    let mut within = false;
    let mut lines = Vec::new();
    for line in without_colours(printed).lines() {
        let text = line.trim();
        if begins(text) {
            within = true;
        } else if ends(text) {
            within = false;
        } else if within && !text.is_empty() {
            lines.push(line.trim_end().to_owned());
        }
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    if more > 0 {
        lines.truncate(LINES_MAX);
        lines.push(format!("and {more} lines more, in the log above"));
    }
    lines
}

fn begins(text: &str) -> bool {
    text == "failures:" || text == "✖ failing tests:" || text.contains("⎯ Failed Tests ")
}

/// What comes after the failures: the sum of a binary, or of the files. Of `node --test` they are the last words.
fn ends(text: &str) -> bool {
    text.starts_with("test result: ") || text.starts_with("Test Files ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_of_each_binary() {
        let printed = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\n\
            thread 'b' panicked at src/lib.rs:3:9:\nnever\n\nfailures:\n    b\n\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored\n\nrunning 1 test\ntest c ... ok\n";
        assert_eq!(
            of(printed),
            [
                "---- b stdout ----",
                "thread 'b' panicked at src/lib.rs:3:9:",
                "never",
                "    b"
            ]
        );
    }

    #[test]
    fn node_tells_at_its_end() {
        let printed = "✖ one (20ms)\nℹ pass 1\nℹ fail 1\n\n✖ failing tests:\n\ntest at a.mjs:1:1\n✖ one (20ms)\n\
            \u{1b}[2m  - waiting\u{1b}[22m\n";
        assert_eq!(of(printed), ["test at a.mjs:1:1", "✖ one (20ms)", "  - waiting"]);
    }

    #[test]
    fn vitest_tells_before_its_sum() {
        let printed = "⎯⎯⎯ Failed Tests 1 ⎯⎯⎯\n\n FAIL  src/a.test.ts > adds\nAssertionError: 1\n\n Test Files  1 failed (1)\n\
            Tests  1 failed (1)\n";
        assert_eq!(of(printed), [" FAIL  src/a.test.ts > adds", "AssertionError: 1"]);
    }

    #[test]
    fn a_flood_is_cut_and_says_so() {
        let printed = format!("failures:\n{}", "again\n".repeat(LINES_MAX + 7));
        let lines = of(&printed);
        assert_eq!(lines.len(), LINES_MAX + 1);
        assert!(lines.last().is_some_and(|last| last.contains("7 lines more")));
    }
}
