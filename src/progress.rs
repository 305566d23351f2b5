//! What a person sees while sprag works: lines for what happened, a bar for runs under way. On a terminal the bar moves; elsewhere
//! (CI, a pipe) only the lines are printed.

use crate::log::defused;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

/// Prints progress on stderr.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    in_actions: bool,
    group_open: Mutex<bool>,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

impl Progress {
    /// Progress for this process; `quiet` prints nothing. `in_actions` groups lines for the log of GitHub Actions.
    pub fn new(quiet: bool, in_actions: bool) -> Self {
        let target = if quiet || in_actions || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("  {msg} [{bar:30}] {pos}/{len}");
        bar.set_style(
            style
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> "),
        );
        Self {
            bar,
            quiet,
            in_actions,
            group_open: Mutex::new(false),
        }
    }

    /// A new phase: a heading, or a group in the log of GitHub Actions.
    pub fn phase(&self, title: &str) {
        if self.in_actions {
            let open = self
                .group_open
                .lock()
                .map(|mut open| std::mem::replace(&mut *open, true))
                .unwrap_or(false);
            if open {
                self.command("::endgroup::");
            }
            self.command(&format!("::group::{}", title.replace(['\r', '\n'], " ")));
        } else {
            self.line(title);
        }
    }

    /// One line, which commands nothing whatever it quotes.
    pub fn line(&self, text: &str) {
        self.command(&defused(text));
    }

    fn command(&self, text: &str) {
        if self.quiet {
            return;
        }
        self.bar.suspend(|| {
            // Progress is a courtesy: a closed stderr is no reason to stop.
            let _closed = writeln!(std::io::stderr(), "{text}");
        });
    }

    /// `total` runs begin.
    pub fn begin(&self, what: &str, total: usize) {
        self.bar.reset();
        self.bar.set_length(total as u64);
        self.bar.set_message(what.to_owned());
    }

    /// One of them is done.
    pub fn tick(&self) {
        self.bar.inc(1);
    }

    /// All of them are done.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if self.in_actions && self.group_open.lock().is_ok_and(|open| *open) {
            self.command("::endgroup::");
        }
    }
}
