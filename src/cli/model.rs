//! The model of a command: its options, and what became of its advice.

use super::session;
use crate::error::{CommandError, Exit};
use crate::flow::advise::{Account, Advisor, Counts};
use crate::model::{ModelError, Tape};
use crate::progress::Progress;
use sprag_core::config::Config;
use sprag_core::mine::text::counted;
use sprag_core::redact::Redactor;
use std::path::PathBuf;

/// How the model of `[model]` is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ModelArgs {
    /// Keep each exchange with the model in this folder, and ask only what is not there yet
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    record: Option<PathBuf>,
    /// Take the model's answers from this folder, and ask nobody
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// Work with the rules alone, whatever `[model]` says
    #[arg(long, conflicts_with_all = ["record", "replay"])]
    no_model: bool,
}

impl ModelArgs {
    /// What becomes of the exchanges.
    pub(super) fn tape(&self) -> Tape {
        match (&self.record, &self.replay) {
            (Some(dir), _) => Tape::Record(dir.clone()),
            (None, Some(dir)) => Tape::Replay(dir.clone()),
            (None, None) => Tape::Off,
        }
    }

    /// The model, if there is one to ask. Without its key the rules work alone, and say so.
    pub(super) fn advisor(&self, config: Option<&Config>) -> Result<Option<Advisor>, CommandError> {
        let model = config.and_then(|config| Some((config, config.model.as_ref()?)));
        let Some((config, model)) = model.filter(|_| !self.no_model) else {
            return match self.tape() {
                Tape::Off => Ok(None),
                Tape::Record(_) | Tape::Replay(_) if config.is_some_and(asks_through_sprag) => Ok(None),
                Tape::Record(_) | Tape::Replay(_) => Err(CommandError::new(
                    Exit::Config,
                    "there is no [model] whose answers could be recorded or replayed",
                    "write [model] into sprag.toml (docs/model.md), or name the file with --config",
                )),
            };
        };
        let env = |name: &str| std::env::var(name).ok();
        let made = Advisor::new(
            model,
            &self.tape(),
            Redactor::new(&config.redact),
            config.budget.usd,
            env,
        );
        match made {
            Ok(advisor) => Ok(Some(advisor)),
            Err(error @ ModelError::NoKey { .. }) => {
                session::progress(false).line(&format!("{error}: the rules work alone. {}", error.hint()));
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether foreign code asks models through sprag, so that there are exchanges without `[model]`.
fn asks_through_sprag(config: &Config) -> bool {
    config.runner.model.is_some() || config.proposer.model.is_some()
}

/// Says what became of a model's advice, if it was asked anything.
pub(super) fn tell(advisor: Option<&Advisor>, progress: &Progress) {
    let account = advisor.map(Advisor::account);
    if let Some(account) = account.filter(|account| account.counts != Counts::default()) {
        progress.line(&told(&account));
    }
}

/// What became of a model's advice, in a line, and why nothing more was asked.
pub(super) fn told(account: &Account) -> String {
    let counts = account.counts;
    let mended = match counts.mended {
        0 => String::new(),
        mended => format!(" ({mended} after it was mended)"),
    };
    let cost = match (account.priced, account.tally.unpriced_tokens) {
        (true, _) => format!("${:.4}", account.tally.usd),
        (false, tokens) => format!("{tokens} tokens at a price that is not known: set [model.prices]"),
    };
    let line = format!(
        "model: {}, {} held{mended}, {} did not, {} without answer; {cost}",
        counted(counts.asked as usize, "question"),
        counts.believed,
        counts.wrong,
        counts.unanswered
    );
    match &account.stopped {
        Some(error) => format!("{line}\nnothing more was asked: {error}\nhint: {}", error.hint()),
        None => line,
    }
}
