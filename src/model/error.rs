//! Why a model gave no answer, and what to do about it.

use sprag_core::model::{Fault, FaultClass, Provider};
use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// The provider said so, or did not answer.
    #[error("{host}: {fault}")]
    Fault {
        /// Who was asked.
        host: String,
        /// What went wrong.
        fault: Fault,
    },
    /// The answer could cost more than is left.
    #[error(
        "the budget of ${limit:.2} does not cover the next request: ${spent:.4} are spent, and it may cost ${most:.4}"
    )]
    Budget {
        /// US dollars in all.
        limit: f64,
        /// US dollars so far.
        spent: f64,
        /// US dollars that the request may cost.
        most: f64,
    },
    /// There is no key.
    #[error("the environment variable {variable} is not set, and {} answers nobody without a key", provider.word())]
    NoKey {
        /// Whom it is for.
        provider: Provider,
        /// Where it should be.
        variable: String,
    },
    /// The key cannot be sent.
    #[error("the key of the model has characters that no key has")]
    BadKey,
    /// The address is not one that is called.
    #[error("model.base_url: {what}: {url}")]
    Address {
        /// What is wrong with it.
        what: &'static str,
        /// The address.
        url: String,
    },
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// An exchange is not on record.
    #[error("{} has no {hash}.json: this exchange was never recorded", dir.display())]
    NotRecorded {
        /// The folder.
        dir: PathBuf,
        /// The hash of the request.
        hash: String,
    },
    /// A recorded exchange cannot be read or written.
    #[error("{}: {problem}", path.display())]
    Tape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl ModelError {
    /// What kind of trouble with the provider it is, if it is any.
    pub fn class(&self) -> Option<FaultClass> {
        match self {
            Self::Fault { fault, .. } => Some(fault.class),
            _ => None,
        }
    }

    /// Whether every other request would fail for the same reason, so that asking on makes no sense.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Fault { fault, .. } => !matches!(
                fault.class,
                FaultClass::ContextLength | FaultClass::Refused | FaultClass::Empty | FaultClass::Garbled
            ),
            _ => true,
        }
    }

    /// The fault that the same request would meet again.
    pub(super) fn repeats(&self) -> Option<&Fault> {
        match self {
            Self::Fault { fault, .. } if !self.is_final() => Some(fault),
            _ => None,
        }
    }

    /// A fault that was met before.
    pub(super) fn on_record(fault: Fault) -> Self {
        let host = "on record".to_owned();
        Self::Fault { host, fault }
    }

    /// Whether going on without an answer would hide that a replay is not what it should be.
    pub fn is_loud(&self) -> bool {
        matches!(self, Self::NotRecorded { .. } | Self::Tape { .. })
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Fault { fault, .. } => of_fault(fault.class).to_owned(),
            Self::Budget { .. } => "raise `budget.usd`, or take `[model]` out to go on with the rules alone".to_owned(),
            Self::NoKey { provider: Provider::GithubModels, .. } => "in a workflow pass `GITHUB_TOKEN: ${{ github.token }}` under `env:` and `models: read` under `permissions:`; elsewhere a token with that permission".to_owned(),
            Self::NoKey { variable, .. } => format!("set {variable}, or name another variable in `model.key_env`"),
            Self::BadKey => "check that the variable holds the key and nothing else".to_owned(),
            Self::Address { .. } => "give an https address such as \"https://models.example.com/v1\"; http only for this machine".to_owned(),
            Self::Client(_) => "check the proxy settings and certificates of this machine".to_owned(),
            Self::NotRecorded { .. } => "record it with `--record`; a request changes with the trace, the prompts of sprag and `[model]`".to_owned(),
            Self::Tape { .. } => "check that the folder can be written, or take the broken file away and record it again".to_owned(),
        }
    }
}

fn of_fault(class: FaultClass) -> &'static str {
    match class {
        FaultClass::RateLimited => {
            "run it again later, or set `model.tokens_per_minute` and `model.concurrency` to what the account has"
        }
        FaultClass::QuotaSpent => "check the plan and the billing of the account",
        FaultClass::ContextLength => "set `model.max_input_tokens` to what the model, or the account's plan, reads",
        FaultClass::Refused => "try another model; the rules' findings stand meanwhile",
        FaultClass::Empty => "raise `model.max_output_tokens`: hidden reasoning counts too",
        FaultClass::Invalid => {
            "check `model.name`, `model.api` and `model.temperature` against what the provider takes; else please report it"
        }
        FaultClass::Auth => {
            "check the key, and that it may use this model; for GitHub Models the token needs `models: read`"
        }
        FaultClass::NotFound => "check `model.name` and `model.base_url`",
        FaultClass::Server | FaultClass::Broken => "run it again later; with a slow server raise `model.timeout`",
        FaultClass::Garbled => {
            "check that `model.base_url` and `model.api` are those of the server; a proxy may be in between"
        }
    }
}
