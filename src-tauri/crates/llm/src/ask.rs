//! One question and its answer: in turn, within the budget, in a dialect the server understands, and once more if the
//! answer cannot be used.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::answer;
use crate::budget::{Budget, Share, Tokens};
use crate::client::Client;
use crate::counters::Counters;
use crate::gate::{self, Gate};
use crate::prompt;
use crate::protocol::{self, ChatMessage, Dialect, Reply};
use crate::refusal::Refusal;
use crate::result::{LlmInsight, LlmResult};
use crate::settings::Settings;
use crate::tokens;
use crate::transcript::Transcript;

/// Who missed its turn asks again once those before it are mostly done.
const TURN_MISSED_WAIT: Duration = Duration::from_secs(10);

/// Everything that calls share.
pub(crate) struct Asker {
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    pub(crate) gate: Gate,
    pub(crate) budget: Budget,
    pub(crate) counters: Counters,
    dialect: Mutex<Dialect>,
}

impl Asker {
    pub(crate) fn new(settings: Settings, client: Client, budget: Budget) -> Asker {
        Asker {
            gate: Gate::new(settings.concurrency_max as usize, settings.requests_per_minute),
            settings,
            client,
            budget,
            counters: Counters::default(),
            dialect: Mutex::new(Dialect::RICHEST),
        }
    }

    /// Asks about a conversation, within the time of the settings.
    ///
    /// # Errors
    ///
    /// There is no answer, or none that can be used.
    pub(crate) async fn ask(&self, transcript: &Transcript) -> Result<LlmResult, Refusal> {
        let deadline = Instant::now() + Duration::from_secs(self.settings.timeout_s);
        let mut messages = vec![
            message("system", prompt::system(self.settings.language.as_deref())),
            message("user", prompt::question(transcript)),
        ];
        let reply = self.exchange(&messages, deadline).await?;
        let wrong = match self.understand(&reply, transcript)? {
            Ok(insight) => return Ok(self.result(insight, reply, transcript)),
            Err(wrong) => wrong,
        };
        self.counters.repaired();
        messages.push(message("assistant", prompt::shown(answer::spoken(&reply.text))));
        messages.push(message("user", prompt::repair(&wrong)));
        let reply = self.exchange(&messages, deadline).await?;
        match self.understand(&reply, transcript)? {
            Ok(insight) => Ok(self.result(insight, reply, transcript)),
            Err(wrong) => {
                let error = format!("the model's answer cannot be used, twice: {wrong}");
                self.counters.failed(&error);
                Err(Refusal::Failed(error))
            }
        }
    }

    /// What a reply says, or what is wrong with it.
    fn understand(
        &self,
        reply: &Reply,
        transcript: &Transcript,
    ) -> Result<Result<LlmInsight, String>, Refusal> {
        if let Some(refusal) = &reply.refusal {
            let said: String = refusal.chars().take(200).collect();
            let error = format!("the model refuses to describe this conversation: {said}");
            self.counters.failed(&error);
            return Err(Refusal::Never(error));
        }
        let read = answer::read(&reply.text, &transcript.lines);
        Ok(read.map_err(|wrong| match reply.is_cut {
            true => format!(
                "it was cut off at {} tokens; be brief",
                self.settings.answer_tokens_max
            ),
            false => wrong,
        }))
    }

    fn result(&self, insight: LlmInsight, reply: Reply, transcript: &Transcript) -> LlmResult {
        LlmResult {
            insight: Some(insight),
            model: Some(reply.model.unwrap_or_else(|| self.settings.model.clone())),
            messages_left_out: transcript.left_out,
        }
    }

    /// Gets a reply, in a simpler dialect if the server does not understand the one spoken so far. A dialect is
    /// remembered once it has worked: that a request was refused may have had another reason.
    async fn exchange(&self, messages: &[ChatMessage], deadline: Instant) -> Result<Reply, Refusal> {
        let mut dialect = *self.dialect.lock().unwrap_or_else(PoisonError::into_inner);
        let mut first_refusal = None;
        loop {
            let refusal = match self.call(messages, dialect, deadline).await {
                Ok(reply) => {
                    *self.dialect.lock().unwrap_or_else(PoisonError::into_inner) = dialect;
                    return Ok(reply);
                }
                Err(refusal) => refusal,
            };
            let Refusal::Unknown(said) = &refusal else {
                return Err(refusal);
            };
            let simpler = dialect.simpler(said);
            let first = first_refusal.get_or_insert(refusal);
            match simpler {
                Some(simpler) => dialect = simpler,
                None => {
                    self.counters.failed(first.text());
                    return Err(first.clone());
                }
            }
        }
    }

    /// One call.
    async fn call(
        &self,
        messages: &[ChatMessage],
        dialect: Dialect,
        deadline: Instant,
    ) -> Result<Reply, Refusal> {
        let turn = timeout_at(deadline, self.gate.enter()).await.map_err(|_| {
            let why = "its time was over before its turn came".to_owned();
            Refusal::NotNow(why, TURN_MISSED_WAIT)
        })??;
        let share = self.budget.set_aside(self.expected(messages))?;
        self.counters.called();
        let request = dialect.request(&self.settings.model, messages, self.settings.answer_tokens_max);
        let outcome = match timeout_at(deadline, self.client.post(request)).await {
            Err(_) => Err(Refusal::Late(format!(
                "no answer within {} s",
                self.settings.timeout_s
            ))),
            Ok(Err(none)) => Err(none.into()),
            Ok(Ok(response)) if response.status.is_success() => {
                protocol::read(&response.body).map_err(Refusal::Failed)
            }
            Ok(Ok(response)) => Err(Refusal::of(&response)),
        };
        match outcome.map_err(|refusal| self.discreet(refusal)) {
            Ok(reply) => {
                turn.answered();
                self.spend(
                    share,
                    reply.tokens.unwrap_or_else(|| self.guessed(messages, &reply)),
                );
                Ok(reply)
            }
            Err(refusal) => {
                // Nobody says what these have cost; the question was probably read.
                if let Refusal::Late(_) | Refusal::Failed(_) = refusal {
                    let question = share.tokens().question;
                    self.spend(share, Tokens { question, answer: 0 });
                }
                Err(self.heed(refusal, &turn))
            }
        }
    }

    /// Lets a refusal have its effect on the calls to come.
    fn heed(&self, refusal: Refusal, turn: &gate::Turn<'_>) -> Refusal {
        if !matches!(refusal, Refusal::Unknown(_)) {
            self.counters.failed(refusal.text());
        }
        match &refusal {
            Refusal::Busy(why, asked) => {
                let wait = turn.was_refused(why, *asked);
                return Refusal::NotNow(why.clone(), wait);
            }
            Refusal::NotNow(why, wait) => {
                turn.was_refused(why, Some(*wait));
            }
            // Who asks next would hear the same: one conversation fails, and not all of them.
            Refusal::Closed(why) => {
                turn.was_refused(why, None);
            }
            Refusal::Late(_) => turn.was_late(),
            Refusal::Failed(_) | Refusal::Unknown(_) | Refusal::Never(_) => {}
        }
        refusal
    }

    fn spend(&self, share: Share<'_>, tokens: Tokens) {
        self.counters.spent(tokens);
        share.spend(tokens);
    }

    /// What a call takes at most.
    fn expected(&self, messages: &[ChatMessage]) -> Tokens {
        Tokens {
            question: question_tokens(messages),
            answer: self.settings.answer_tokens_max.into(),
        }
    }

    /// What a call has taken, where the server does not count.
    fn guessed(&self, messages: &[ChatMessage], reply: &Reply) -> Tokens {
        Tokens {
            question: question_tokens(messages),
            answer: tokens::estimate(&reply.text),
        }
    }

    /// A refusal without the key, which some servers repeat.
    fn discreet(&self, refusal: Refusal) -> Refusal {
        match &self.settings.api_key {
            Some(key) => refusal.map_text(|text| key.blot(text)),
            None => refusal,
        }
    }
}

fn message(role: &'static str, content: String) -> ChatMessage {
    ChatMessage { role, content }
}

fn question_tokens(messages: &[ChatMessage]) -> u64 {
    messages
        .iter()
        .map(|message| tokens::estimate(&message.content))
        .sum()
}
