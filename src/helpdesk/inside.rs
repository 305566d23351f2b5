//! The helpdesk as a runner within this process, for whoever has it run very often.

use super::tasks;
use super::worker::{PLAYBOOK, SHOP, run_task};
use crate::runner::{BoxFuture, Job, Runner, RunnerError};
use fs_err as fs;
use sprag_core::failure::FailureKind;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::trial::{Split, Trial, TrialStatus, Usage};
use std::path::PathBuf;
use tokio::sync::mpsc::UnboundedSender;

/// Plays one harness at a time in a checkout of its own.
#[derive(Debug)]
pub struct Inside {
    root: PathBuf,
}

impl Inside {
    /// Uses a folder of nobody else's.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(root: PathBuf) -> Result<Self, std::io::Error> {
        for (path, text) in super::project_files() {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&root))?;
            fs::write(path, text)?;
        }
        debug_assert!(root.join(SHOP).exists());
        Ok(Self { root })
    }

    fn trial(&self, job: &Job) -> Trial {
        let Some(task) = tasks::find(job.task.as_str()) else {
            return Trial::errored(FailureKind::Evaluator, format!("there is no task {}", job.task));
        };
        match run_task(&self.root, task) {
            Ok((passed, trace)) => Trial {
                status: if passed {
                    TrialStatus::Passed
                } else {
                    TrialStatus::Failed
                },
                score: f64::from(u8::from(passed)),
                usage: Usage::default(),
                duration_ms: 1,
                trace: job.trace.then_some(trace),
                rubrics: Vec::new(),
            },
            Err(error) => Trial::errored(error.kind, error.message),
        }
    }
}

impl Runner for Inside {
    fn list(&self, split: Split) -> BoxFuture<'_, Result<Vec<TaskId>, RunnerError>> {
        let of_split = tasks::all().iter().filter(|task| task.split == split);
        let ids = of_split.map(|task| TaskId::new(task.id.as_str())).collect();
        Box::pin(async move { Ok(ids) })
    }

    fn run<'a>(
        &'a self,
        harness: &'a Harness,
        jobs: &'a [Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> BoxFuture<'a, Result<(), RunnerError>> {
        Box::pin(async move {
            let playbook = harness.get(PLAYBOOK).unwrap_or_default();
            fs::write(self.root.join(PLAYBOOK), playbook)?;
            for (at, job) in jobs.iter().enumerate() {
                // Who listens no more needs no more.
                if done.send((at, self.trial(job))).is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}
