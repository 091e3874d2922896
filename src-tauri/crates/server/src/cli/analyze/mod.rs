//! `chatstats analyze`

mod here;
mod print;
mod there;

use std::process::ExitCode;

use anyhow::{Context, Result};
use chatstats_analysis::AnalysisError;
use chatstats_model::{ChatId, ConversationId, Run, RunKind, RunPreview, RunRequest};
use clap::Args;
use hyper::StatusCode;

use super::DataDirOption;
use super::client::Refused;
use crate::data_dir::find_running;
use crate::error::ConfigError;
use crate::llm;

/// Analyses conversations in the background, and with --wait in the foreground.
///
/// Asks the server that runs on the data directory. Without one and with --wait, does the work itself; without --wait,
/// writes down what is to be done, and the next start of ChatStats does it.
#[derive(Debug, Args)]
pub(super) struct Analyze {
    /// What: global (what lacks a current result), historic (everything anew), chat:ID or conversation:ID
    #[arg(long, value_name = "WHAT", default_value = "global", value_parser = what)]
    run: RunRequest,
    /// Only these passes, with those they need [default: all that are switched on]
    #[arg(long, value_name = "PASS,PASS", value_delimiter = ',')]
    passes: Vec<String>,
    /// Print how much it would be, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Return when it is done; the exit code is 1 if anything failed
    #[arg(long)]
    wait: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data_dir: DataDirOption,
}

/// What is asked of whoever does the work.
struct Asked {
    request: RunRequest,
    until: Until,
}

/// How far a command goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Counted,
    Accepted,
    Ended,
}

/// What it came to.
enum Outcome {
    Counted(RunPreview),
    /// `waits` where no server runs that goes on with it.
    Accepted {
        run: Run,
        waits: bool,
    },
    Ended(Run),
    /// A signal ended the command before the run had ended; the next start goes on with it.
    Interrupted(Run),
}

impl Analyze {
    pub(super) fn run(self) -> Result<ExitCode> {
        let config = self.data_dir.config()?;
        let until = match (self.dry_run, self.wait) {
            (true, _) => Until::Counted,
            (false, true) => Until::Ended,
            (false, false) => Until::Accepted,
        };
        let request = RunRequest {
            passes: self.passes,
            ..self.run
        };
        let asked = Asked { request, until };
        if let Some(warning) = llm::warning(&config.llm).filter(|_| until != Until::Counted) {
            eprintln!("{warning}");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let outcome = runtime.context("start the client")?.block_on(async {
            match find_running(&config.data_dir) {
                Some(running) => there::carry_out(&config, &running, asked).await,
                None => here::carry_out(&config, asked).await,
            }
        });
        let outcome = outcome.map_err(wrong_use)?;
        print::outcome(&outcome, self.json)?;
        let is_well = match &outcome {
            Outcome::Counted(_) | Outcome::Accepted { .. } => true,
            Outcome::Ended(run) => run.failed == 0,
            Outcome::Interrupted(_) => false,
        };
        Ok(ExitCode::from(if is_well { 0 } else { super::FAILED }))
    }
}

/// A request that makes no sense is a mistake of whoever typed it.
fn wrong_use(error: anyhow::Error) -> anyhow::Error {
    let is_refused = |refused: &Refused| refused.status == StatusCode::BAD_REQUEST;
    let is_invalid = matches!(error.downcast_ref(), Some(AnalysisError::Invalid(_)));
    if !is_invalid && !error.downcast_ref().is_some_and(is_refused) {
        return error;
    }
    ConfigError {
        place: "analyze".to_owned(),
        problem: error.to_string(),
    }
    .into()
}

/// Reads `--run`.
fn what(text: &str) -> Result<RunRequest, String> {
    let request = |kind| RunRequest {
        kind,
        chats: Vec::new(),
        conversation_id: None,
        passes: Vec::new(),
    };
    let id = |digits: &str| {
        digits
            .parse()
            .map_err(|_| format!("{digits:?} is not the number of one"))
    };
    match text.split_once(':') {
        None if text == "global" => Ok(request(RunKind::Global)),
        None if text == "historic" => Ok(request(RunKind::Historic)),
        Some(("chat", digits)) => Ok(RunRequest {
            chats: vec![ChatId(id(digits)?)],
            ..request(RunKind::Chat)
        }),
        Some(("conversation", digits)) => Ok(RunRequest {
            conversation_id: Some(ConversationId(id(digits)?)),
            ..request(RunKind::Conversation)
        }),
        _ => Err("it is global, historic, chat:ID or conversation:ID".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_run_is_a_word_or_a_word_and_a_number() {
        let kind = |text| what(text).map(|request| request.kind);
        assert_eq!(kind("global"), Ok(RunKind::Global));
        assert_eq!(kind("historic"), Ok(RunKind::Historic));
        assert_eq!(what("chat:7").map(|asked| asked.chats), Ok(vec![ChatId(7)]));
        let asked = what("conversation:12").map(|asked| asked.conversation_id);
        assert_eq!(asked, Ok(Some(ConversationId(12))));
        for wrong in [
            "", "all", "retry", "chat", "chat:", "chat:x", "chat:1:2", "global:1",
        ] {
            assert!(what(wrong).is_err(), "{wrong}");
        }
    }
}
