//! What goes wrong at the edge: one error type with hints, and the exit codes.

use crate::actions::EventError;
use crate::bundle::BundleError;
use crate::flow::FlowError;
use crate::flow::pull::SetupError;
use crate::forge::ForgeError;
use crate::model::ModelError;
use crate::project::SuiteError;
use crate::runner::RunnerError;
use crate::store::StoreError;
use crate::workspace::WorkspaceError;
use std::fmt;
use std::process::ExitCode;

/// The exit codes, as the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A defect of sprag.
    Internal = 1,
    /// The command line is wrong (clap's own code).
    Usage = 2,
    /// `sprag.toml`, or what it points at, is wrong.
    Config = 3,
    /// There was nothing to do.
    Nothing = 4,
    /// A gate rejected the change, or could not decide.
    Rejected = 5,
    /// The worker, git or another program failed.
    Outside = 6,
    /// The budget is spent.
    Budget = 7,
    /// Interrupted by the user; the same command resumes.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error as a person gets it.
#[derive(Debug)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and where.
    pub message: String,
    /// What to do next; at least one.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error with one hint.
    pub fn new(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: vec![hint.into()],
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::new(
            Exit::Outside,
            error.to_string(),
            "check that the path exists, is writable, and that the disk has room",
        )
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let (exit, hint) = match error {
            StoreError::Branch(error) => {
                return Self {
                    message,
                    ..Self::from(error)
                };
            }
            StoreError::Token(error) => {
                return Self {
                    message,
                    ..Self::from(error)
                };
            }
            StoreError::Io(_) => (
                Exit::Outside,
                "check that the path is writable and that the disk has room; nothing that was written is lost",
            ),
            StoreError::Older { .. } => (
                Exit::Config,
                "its run was measured in another way and cannot be gone on with: begin a new one with another --out, or remove the folder",
            ),
            StoreError::Newer { .. } => (Exit::Config, "use the sprag that wrote it, or a newer one"),
            StoreError::Locked { .. } => (
                Exit::Nothing,
                "wait for it to end, or give this run another folder with `--out`",
            ),
            StoreError::Unreadable { .. } => (
                Exit::Config,
                "name another folder with `--out`, or remove this one to begin anew",
            ),
        };
        Self::new(exit, message, hint)
    }
}

impl From<RunnerError> for CommandError {
    fn from(error: RunnerError) -> Self {
        let mut message = error.to_string();
        if let RunnerError::Protocol { stderr, .. } = &error
            && !stderr.trim().is_empty()
        {
            message.push_str("\nthe end of what it logged:\n");
            stderr
                .trim()
                .lines()
                .for_each(|line| message.push_str(&format!("  | {line}\n")));
        }
        Self::new(
            Exit::Outside,
            message.trim_end(),
            "run `sprag worker check` to see what is wrong with the worker; what was measured so far is kept",
        )
    }
}

impl From<WorkspaceError> for CommandError {
    fn from(error: WorkspaceError) -> Self {
        let hint = match &error {
            WorkspaceError::Git(_) | WorkspaceError::Io(_) => "check the repository with `git status` and `git fsck`",
            WorkspaceError::Refused { .. } => {
                "check that the token is valid for this repository and may write its contents (`contents: write`), and that no rule protects the branch"
            }
            WorkspaceError::Moved { .. } => "somebody else changed the branch meanwhile: run the same command again",
            WorkspaceError::Network { .. } => "check the connection, then run the same command again",
            WorkspaceError::Elsewhere { .. } => {
                "look at `core.worktree` with `git config --show-origin --get core.worktree`; run sprag where the files are"
            }
        };
        Self::new(Exit::Outside, error.to_string(), hint)
    }
}

impl From<ForgeError> for CommandError {
    fn from(error: ForgeError) -> Self {
        let hint = error.hint();
        Self::new(Exit::Outside, error.to_string(), hint)
    }
}

impl From<EventError> for CommandError {
    fn from(error: EventError) -> Self {
        Self::new(
            Exit::Usage,
            error.to_string(),
            "unset GITHUB_EVENT_PATH outside of GitHub Actions; inside, GitHub writes the file",
        )
    }
}

impl From<SuiteError> for CommandError {
    fn from(error: SuiteError) -> Self {
        Self::new(
            Exit::Config,
            error.to_string(),
            "restore the file from git; nothing is accepted while a case is missing",
        )
    }
}

impl From<SetupError> for CommandError {
    fn from(error: SetupError) -> Self {
        let message = error.to_string();
        match error {
            SetupError::Workspace(error) => error.into(),
            SetupError::Suite(error) => error.into(),
            SetupError::NoConfig { .. } => Self::new(
                Exit::Config,
                message,
                "merge the configuration first; a pull request is measured by the rules of its base",
            ),
            SetupError::Config { .. } => Self::new(
                Exit::Config,
                message,
                "mend it on the branch that the pull request is for",
            ),
            SetupError::Conflict { .. } => Self::new(
                Exit::Rejected,
                message,
                "merge the base into it and solve the conflict; then it can be measured",
            ),
            SetupError::Glob(_) => Self::new(Exit::Config, message, "correct `[harness]` in sprag.toml"),
        }
    }
}

impl From<FlowError> for CommandError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Store(error) => error.into(),
            FlowError::Runner(error) => error.into(),
            FlowError::Workspace(error) => error.into(),
            FlowError::Io(error) => error.into(),
            FlowError::Forge(error) => error.into(),
            FlowError::Model(error) => error.into(),
            FlowError::Bundle(error) => error.into(),
            FlowError::Leak { .. } | FlowError::NoTasks { .. } | FlowError::Unsealed { .. } => Self::new(
                Exit::Config,
                error.to_string(),
                "correct what the runner lists for `train`, `validation` and `test`; `sprag worker check` shows it",
            ),
            FlowError::NoBaseline { .. } => Self::new(
                Exit::Outside,
                error.to_string(),
                "run `sprag worker check` to see what is wrong with the worker; the same command again makes only the missing runs",
            ),
            FlowError::OtherRun { .. } => Self::new(
                Exit::Config,
                error.to_string(),
                "go on with the old settings, or give this run another folder with `--out`",
            ),
            FlowError::Harness { .. } => {
                Self::new(Exit::Config, error.to_string(), "correct `harness.paths` in sprag.toml")
            }
            FlowError::Tree { .. } => Self::new(
                Exit::Outside,
                error.to_string(),
                "nothing was pushed; look at the branch, and please report how it came to be",
            ),
            FlowError::OutOfTime => Self::new(
                Exit::Budget,
                error.to_string(),
                "run the same command again to go on from here, or raise `budget.wall` in sprag.toml",
            ),
            FlowError::Interrupted => Self::new(
                Exit::Interrupted,
                error.to_string(),
                "run the same command again to go on from here",
            ),
        }
    }
}

impl From<BundleError> for CommandError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Io(error) => Self::new(
                Exit::Outside,
                error.to_string(),
                "look at the folder of `--bundle`: `sprag optimize` writes it, and `sprag publish` reads it",
            ),
            BundleError::Newer { .. } => Self::new(
                Exit::Config,
                error.to_string(),
                "use the same version of sprag for `optimize` and `publish`",
            ),
            BundleError::Elsewhere { .. } => Self::new(
                Exit::Rejected,
                error.to_string(),
                "check out the commit that `sprag optimize` worked on, and run `sprag publish` again",
            ),
            _ => Self::new(
                Exit::Rejected,
                error.to_string(),
                "nothing was written to GitHub; run `sprag optimize` again, and look at what ran in that job if it comes back",
            ),
        }
    }
}

impl From<ModelError> for CommandError {
    fn from(error: ModelError) -> Self {
        let exit = match error {
            ModelError::Fault { .. } | ModelError::Client(_) => Exit::Outside,
            _ => Exit::Config,
        };
        Self::new(exit, error.to_string(), error.hint())
    }
}
