//! The runner of kind `worker`: keeps workers alive between calls and spreads jobs over them.

use super::hold::Hold;
use super::lanes::Work;
use super::worker::{Worker, WorkerSpec};
use super::{BoxFuture, Job, Runner, RunnerError, fill_project};
use crate::project::ProjectFiles;
use crate::proxy::Proxy;
use futures_util::future::{join_all, try_join_all};
use sprag_core::failure::FailureKind;
use sprag_core::harness::Harness;
use sprag_core::id::{HarnessId, TaskId};
use sprag_core::redact::Redactor;
use sprag_core::trial::{Split, Trial};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// What a runner of kind `worker` needs to know.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// The program and its arguments; `{project}` stands for the path of the project.
    pub command: Vec<String>,
    /// The absolute path of the project.
    pub project_dir: PathBuf,
    /// What the checkouts are made of.
    pub files: ProjectFiles,
    /// Runs at a time.
    pub concurrency: usize,
    /// Time limit of one answer.
    pub timeout: Duration,
    /// How often a run that ends in an error is tried again.
    pub retries: u32,
    /// Names of environment variables that workers get besides the allow-list.
    pub env_pass: Vec<String>,
    /// An existing or new directory for the checkouts.
    pub scratch: PathBuf,
    /// What holds the workers.
    pub hold: Hold,
    /// Where workers may ask models.
    pub proxy: Option<Arc<Proxy>>,
}

/// Makes the agent work through workers. Dropping it, or the future of a run, leaves no process alive.
///
/// Held-out runs (those without a trace) have processes and checkouts of their own: nothing that a worker writes down or logs
/// in them can turn up in the trace or the error of another run.
#[derive(Debug)]
pub struct WorkerRunner {
    spec: WorkerSpec,
    concurrency: usize,
    retries: u32,
    open: Pool,
    held_out: Pool,
    /// What runs of held-out tasks begin with.
    held_out_inputs: Mutex<Vec<String>>,
    /// Harnesses with which a run came to a result.
    proven: Mutex<BTreeSet<HarnessId>>,
}

#[derive(Debug)]
struct Pool {
    idle: Mutex<Vec<Worker>>,
    held_out: bool,
}

impl Pool {
    fn new(held_out: bool) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            held_out,
        }
    }

    fn take(&self) -> Option<Worker> {
        let mut idle = lock(&self.idle);
        while let Some(mut worker) = idle.pop() {
            if worker.is_running() {
                return Some(worker);
            }
        }
        None
    }

    fn give_back(&self, worker: Worker) {
        lock(&self.idle).push(worker);
    }
}

impl WorkerRunner {
    /// A runner that starts its workers when they are needed.
    pub fn new(config: WorkerConfig) -> Self {
        let spec = WorkerSpec {
            command: fill_project(&config.command, &config.project_dir),
            project_dir: config.project_dir,
            files: Arc::new(config.files),
            env_pass: config.env_pass,
            scratch: config.scratch,
            limit: config.timeout,
            hold: config.hold,
            proxy: config.proxy,
        };
        Self {
            spec,
            concurrency: config.concurrency.max(1),
            retries: config.retries,
            open: Pool::new(false),
            held_out: Pool::new(true),
            held_out_inputs: Mutex::default(),
            proven: Mutex::default(),
        }
    }

    /// Asks the idle workers to end, and kills those that do not within a few seconds. Dropping the runner kills at once.
    pub async fn shut_down(&self) {
        let idle = [&self.open, &self.held_out]
            .into_iter()
            .flat_map(|pool| std::mem::take(&mut *lock(&pool.idle)));
        join_all(idle.map(Worker::shut_down)).await;
    }

    async fn list_tasks(&self, split: Split) -> Result<Vec<TaskId>, RunnerError> {
        let pool = if split == Split::Train {
            &self.open
        } else {
            &self.held_out
        };
        let mut worker = match pool.take() {
            Some(worker) => worker,
            None => Worker::start(&self.spec, &self.spec.files.harness, !pool.held_out).await?,
        };
        let (tasks, inputs) = worker.list(&self.spec, split).await?;
        pool.give_back(worker);
        if split == Split::Validation {
            *lock(&self.held_out_inputs) = inputs;
        }
        Ok(tasks)
    }

    async fn why_no_cases(&self) -> Result<Option<String>, RunnerError> {
        let worker = match self.open.take() {
            Some(worker) => worker,
            None => Worker::start(&self.spec, &self.spec.files.harness, true).await?,
        };
        let cases = worker.ready.cases;
        self.open.give_back(worker);
        Ok((!cases)
            .then(|| "the worker does not say that it takes recorded inputs (`\"cases\": true` in `ready`)".to_owned()))
    }

    async fn run_all(
        &self,
        harness: &Harness,
        jobs: &[Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> Result<(), RunnerError> {
        for pool in [&self.open, &self.held_out] {
            let work = Work::new(jobs, |job| job.trace != pool.held_out, self.retries, done.clone());
            let outcome = self.run_in(pool, harness, &work).await;
            if work.had_results() {
                lock(&self.proven).insert(harness.id());
            }
            if let Err(error) = outcome {
                let Some(reason) = self.fault_of_harness(harness, &error, pool).await else {
                    return Err(error);
                };
                let error = error.to_string();
                let error = Redactor::default().text(&error);
                tracing::warn!(%error, "the worker cannot work with this harness");
                work.finish_rest(&Trial::errored(FailureKind::Unknown, reason));
            }
        }
        Ok(())
    }

    /// Makes the jobs of one pool in lanes, each with a worker. The first worker says how many runs one process takes.
    async fn run_in(&self, pool: &Pool, harness: &Harness, work: &Work<'_>) -> Result<(), RunnerError> {
        let n_runs = work.len().min(self.concurrency);
        if n_runs == 0 {
            return Ok(());
        }
        let first = self.ready_worker(pool, harness).await?;
        let parallel = first.ready.parallel.min(n_runs);
        let mut first = Some(first);
        let lanes = (0..n_runs).step_by(parallel).map(|taken| {
            let capacity = parallel.min(n_runs - taken);
            self.lane(pool, harness, work, first.take(), capacity)
        });
        try_join_all(lanes).await.map(|_| ())
    }

    async fn lane(
        &self,
        pool: &Pool,
        harness: &Harness,
        work: &Work<'_>,
        mut given: Option<Worker>,
        capacity: usize,
    ) -> Result<(), RunnerError> {
        while !work.is_taken() {
            let mut worker = match given.take() {
                Some(worker) => worker,
                None => self.ready_worker(pool, harness).await?,
            };
            match work.drive(&mut worker, capacity, self.spec.limit).await {
                Ok(()) => given = Some(worker),
                Err(lost) => {
                    let (what, log) = worker.describe(&lost.loss, self.spec.limit).await;
                    if let Some(problem) = work.settle_loss(lost, &what, &log) {
                        return Err(RunnerError::Protocol {
                            command: self.spec.command.join(" "),
                            problem,
                            stderr: log,
                        });
                    }
                }
            }
        }
        if let Some(worker) = given {
            pool.give_back(worker);
        }
        Ok(())
    }

    async fn ready_worker(&self, pool: &Pool, harness: &Harness) -> Result<Worker, RunnerError> {
        let start = || Worker::start(&self.spec, harness, !pool.held_out);
        let Some(mut worker) = pool.take() else {
            return self.start_again_if_proven(harness, start).await;
        };
        if worker.take_up(harness)? {
            return Ok(worker);
        }
        let (started, ()) = tokio::join!(self.start_again_if_proven(harness, start), worker.shut_down());
        started
    }

    /// A worker that does not start is tried once more only when it has worked with this harness before.
    async fn start_again_if_proven<F>(&self, harness: &Harness, start: impl Fn() -> F) -> Result<Worker, RunnerError>
    where
        F: Future<Output = Result<Worker, RunnerError>>,
    {
        match start().await {
            Err(RunnerError::Protocol { .. }) if lock(&self.proven).contains(&harness.id()) => start().await,
            started => started,
        }
    }

    /// Why the harness, and not the machine, is to blame for an error; `None` when it is not. A candidate that breaks the
    /// worker must not end the whole search.
    async fn fault_of_harness(&self, harness: &Harness, error: &RunnerError, pool: &Pool) -> Option<String> {
        let base = &self.spec.files.harness;
        if matches!(error, RunnerError::Files(_)) || harness == base || lock(&self.proven).contains(&harness.id()) {
            return None;
        }
        if lock(&self.proven).is_empty() {
            Worker::start(&self.spec, base, !pool.held_out)
                .await
                .ok()?
                .shut_down()
                .await;
        }
        let text = "the worker cannot work with this harness".to_owned();
        match error {
            RunnerError::Protocol { problem, stderr, .. } if !pool.held_out => {
                Some(format!("{text}: it {problem}{}", super::lanes::end_of(stderr)))
            }
            RunnerError::Start { .. } if !pool.held_out => Some(format!("{text}: {error}")),
            RunnerError::Protocol { .. } | RunnerError::Start { .. } | RunnerError::Files(_) => Some(text),
        }
    }
}

impl Runner for WorkerRunner {
    fn list(&self, split: Split) -> BoxFuture<'_, Result<Vec<TaskId>, RunnerError>> {
        Box::pin(self.list_tasks(split))
    }

    fn held_out_inputs(&self) -> Vec<String> {
        lock(&self.held_out_inputs).clone()
    }

    fn cases_refused(&self) -> BoxFuture<'_, Result<Option<String>, RunnerError>> {
        Box::pin(self.why_no_cases())
    }

    fn allow(&self, usd: f64) {
        self.spec.proxy.iter().for_each(|proxy| proxy.allow(usd));
    }

    fn run<'a>(
        &'a self,
        harness: &'a Harness,
        jobs: &'a [Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> BoxFuture<'a, Result<(), RunnerError>> {
        Box::pin(self.run_all(harness, jobs, done))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
