//! What came out of a check, as data and as text.

use serde::Serialize;
use std::fmt;

/// The outcome of every check, in the order they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// One finding a check, more where a check found more than one problem.
    pub checks: Vec<Finding>,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked, such as `ready`.
    pub check: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What happened, as the end of a sentence about the worker.
    pub message: String,
    /// The line of the worker that is meant, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'static str>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Not wrong, but it costs something.
    Warning,
    /// The worker must be mended.
    Problem,
    /// Could not be checked, or there is nothing to check.
    Skipped,
}

/// What is wrong, before it is known which check it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub message: String,
    pub line: Option<String>,
    pub fix: &'static str,
}

impl Trouble {
    pub(super) fn new(message: impl Into<String>, fix: &'static str) -> Self {
        Self {
            message: message.into(),
            line: None,
            fix,
        }
    }

    pub(super) fn quoting(self, line: &str) -> Self {
        Self {
            line: Some(line.to_owned()),
            ..self
        }
    }
}

impl CheckReport {
    /// How many findings are problems: with none of them the worker can be used.
    pub fn n_problems(&self) -> usize {
        self.count(Outcome::Problem)
    }

    /// How many findings are warnings.
    pub fn n_warnings(&self) -> usize {
        self.count(Outcome::Warning)
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|finding| finding.outcome == outcome).count()
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.push(check, Outcome::Ok, Trouble::new(message, ""));
    }

    pub(super) fn skipped(&mut self, check: &'static str, message: impl Into<String>) {
        self.push(check, Outcome::Skipped, Trouble::new(message, ""));
    }

    pub(super) fn warning(&mut self, check: &'static str, trouble: Trouble) {
        self.push(check, Outcome::Warning, trouble);
    }

    pub(super) fn problem(&mut self, check: &'static str, trouble: Trouble) {
        self.push(check, Outcome::Problem, trouble);
    }

    /// All problems of one check, or that it is fine.
    pub(super) fn settle(&mut self, check: &'static str, troubles: Vec<Trouble>, fine: impl Into<String>) {
        if troubles.is_empty() {
            self.ok(check, fine);
        }
        for trouble in troubles {
            self.problem(check, trouble);
        }
    }

    fn push(&mut self, check: &'static str, outcome: Outcome, trouble: Trouble) {
        let fix = Some(trouble.fix).filter(|fix| !fix.is_empty());
        self.checks.push(Finding {
            check,
            outcome,
            message: trouble.message,
            line: trouble.line,
            fix,
        });
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, finding) in self.checks.iter().enumerate() {
            // A line with many problems is shown once, below the last of them.
            let is_shown_below = |next: &Finding| (&next.line, next.fix) == (&finding.line, finding.fix);
            if self.checks.get(idx + 1).is_some_and(is_shown_below) {
                writeln!(
                    f,
                    "{}",
                    Finding {
                        line: None,
                        fix: None,
                        ..finding.clone()
                    }
                )?;
            } else {
                writeln!(f, "{finding}")?;
            }
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (problems, warnings) = (self.n_problems(), self.n_warnings());
        match (problems, warnings) {
            (0, 0) => write!(f, "The worker is fine."),
            (0, n) => write!(f, "The worker can be used; {n} warning{}.", plural(n)),
            (n, _) => write!(f, "{n} problem{}: sprag cannot rely on this worker yet.", plural(n)),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            Outcome::Problem => "problem",
            Outcome::Skipped => "skipped",
        };
        let message = self.message.replace('\n', "\n           | ");
        write!(f, "{outcome:8} {}: {message}", self.check)?;
        if let Some(line) = &self.line {
            write!(f, "\n           line: {line}")?;
        }
        if let Some(fix) = self.fix {
            write!(f, "\n           mend: {fix}")?;
        }
        Ok(())
    }
}
