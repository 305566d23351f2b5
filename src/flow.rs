//! The loop over the ports: does what the state machine says, one command after the other, and writes each outcome into the ledger.

mod ablate;
pub mod advise;
mod bench;
mod cases;
mod context;
mod curate;
pub mod deliver;
pub mod gate;
pub mod handover;
mod held_out;
pub mod job;
mod learnings;
mod propose;
mod publish;
pub mod pull;
mod race;
pub mod revert;
mod screen;
pub mod sealed;
mod stages;
mod summary;
pub mod sync;

pub use bench::recorded_trace;
pub use summary::Summary;

use crate::bundle::BundleError;
use crate::forge::ForgeError;
use crate::model::ModelError;
use crate::progress::Progress;
use crate::runner::{CodingAgent, Runner, RunnerError};
use crate::store::{Store, StoreError};
use crate::workspace::{Workspace, WorkspaceError};
use advise::Advisor;
use bench::Bench;
use sprag_core::budget::Limits;
use sprag_core::config::Config;
use sprag_core::harness::{Harness, PathPolicy};
use sprag_core::ledger::{Event, Known, Plan};
use sprag_core::machine::{self, Command, State};
use sprag_core::redact::Redactor;
use sprag_core::signal::Report;
use sprag_core::trial::Split;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Says what time it is, as RFC 3339.
pub type Clock = Arc<dyn Fn() -> String + Send + Sync>;

/// Everything a run needs.
#[expect(missing_debug_implementations, reason = "a runner is a port, not data")]
pub struct Request<'a> {
    /// The checked `sprag.toml`.
    pub config: &'a Config,
    /// The repository.
    pub workspace: &'a Workspace,
    /// The harness as it stands in the repository.
    pub harness: Harness,
    /// What a candidate may change.
    pub policy: PathPolicy,
    /// Makes the agent work.
    pub runner: &'a dyn Runner,
    /// Says why runs failed, beside the rules.
    pub advisor: Option<&'a Advisor>,
    /// The coding agent that proposes, for `proposer.kind` `command`.
    pub agent: Option<&'a CodingAgent>,
    /// What determines results besides harness, task, trial and seed.
    pub runner_identity: String,
    /// What people call the project.
    pub project: String,
    /// Where pull requests, check runs, comments and the report are written.
    pub out: PathBuf,
    /// The seed of everything random.
    pub seed: u64,
    /// Batches of traffic.
    pub batches: u32,
    /// Experiments in all.
    pub experiments: u32,
    /// Whether accepted changes are merged at once (a simulation), or wait on their branches for a person.
    pub merge: bool,
    /// Labelled issues to answer.
    pub issues: Vec<Report>,
    /// What other runs and people have found.
    pub known: Known,
    /// What holds the code of others: the tier, in words.
    pub sandbox: &'static str,
    /// Now, as RFC 3339.
    pub clock: Clock,
    /// How long this may take.
    pub wall: Duration,
    /// Set when the user wants to stop.
    pub interrupted: Arc<AtomicBool>,
}

/// Why a run stopped before its end. What was measured is in the ledger; the same request goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The repository.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// GitHub.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The model, where going on without it would hide something.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file under `out`.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// What another job handed over.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Held-out tasks are in the traffic.
    #[error(
        "the runner lists {shared} of the {validation} validation tasks for `train` too; a held-out set must be held out"
    )]
    Leak {
        /// How many are in both.
        shared: usize,
        /// How many are held out.
        validation: usize,
    },
    /// The test split is no secret.
    #[error("the runner lists {shared} of the {test} test tasks for another split too; a sealed set must be sealed")]
    Unsealed {
        /// How many are in both.
        shared: usize,
        /// How many there are.
        test: usize,
    },
    /// A split is empty.
    #[error("the runner lists no tasks for `{split}`; nothing could be measured")]
    NoTasks {
        /// Its name.
        split: &'static str,
    },
    /// The bar that every candidate is held to is not known.
    #[error(
        "the validation baseline could not be measured: {errored} of {total} runs ended without a verdict, also after retries"
    )]
    NoBaseline {
        /// How many have no verdict.
        errored: usize,
        /// Of how many.
        total: usize,
    },
    /// The ledger belongs to another run.
    #[error("{out} holds a run with another {what}")]
    OtherRun {
        /// The folder.
        out: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A change has made another tree than it may.
    #[error("{branch} is not published: {problem}")]
    Tree {
        /// The branch.
        branch: String,
        /// What is wrong with its tree.
        problem: String,
    },
    /// Nothing may be changed.
    #[error("no file of the repository may be changed: {problem}")]
    Harness {
        /// Why.
        problem: String,
    },
    /// `budget.wall` is spent.
    #[error("the budget of wall time is spent; everything measured so far is kept")]
    OutOfTime,
    /// The user stopped it.
    #[error("interrupted; everything measured so far is kept")]
    Interrupted,
}

/// Runs the loop to its end, or to the first command that cannot be done.
pub async fn improve(request: &Request<'_>, store: &mut dyn Store, progress: &Progress) -> Result<State, FlowError> {
    let train = request.runner.list(Split::Train).await?;
    let validation = request.runner.list(Split::Validation).await?;
    check_splits(&train, &validation)?;
    let n_validation = validation.len();
    let bench = Bench::new(request, validation, progress);
    if store.entries().is_empty() {
        if request.harness.files().next().is_none() {
            let globs = request.config.harness.paths.join(", ");
            return Err(FlowError::Harness {
                problem: format!("`harness.paths` ({globs}) matches no tracked text file"),
            });
        }
        let plan = plan(request, &bench, train, n_validation, progress)?;
        store.append((request.clock)(), Event::Started(Box::new(plan)))?;
    } else {
        progress.line(&format!("going on from entry {} of the ledger", store.entries().len()));
    }
    check_same_run(request, store, n_validation)?;

    let (state, mut commands) = machine::replay(store.entries().iter().map(|entry| &entry.event));
    let mut state = state.ok_or_else(|| FlowError::OtherRun {
        out: request.out.clone(),
        what: "first entry than `started`",
    })?;
    let stand = |store: &dyn Store| match (request.advisor, store.entries().last()) {
        (Some(advisor), Some(last)) => advisor.stand(&request.out, &last.id),
        _ => Ok(()),
    };
    stand(store)?;
    let began = Instant::now();
    while let Some(command) = commands.first() {
        if request.interrupted.load(Ordering::Relaxed) {
            return Err(FlowError::Interrupted);
        }
        if began.elapsed() >= request.wall {
            return Err(FlowError::OutOfTime);
        }
        bench.know(state.cases.cases.values());
        let event = perform(request, &bench, store, &state, command, progress).await?;
        store.append((request.clock)(), event.clone())?;
        stand(store)?;
        let (next, then) = machine::step(Some(state), &event);
        state = next.expect("a state that began stays");
        summary::tell(&state, &event, progress);
        commands = then;
    }
    Ok(state)
}

async fn perform(
    request: &Request<'_>,
    bench: &Bench<'_>,
    store: &mut dyn Store,
    state: &State,
    command: &Command,
    progress: &Progress,
) -> Result<Event, FlowError> {
    match command {
        Command::Buy {
            experiment,
            request,
            trials,
        } => stages::buy(bench, store, state, experiment.as_ref(), request, trials).await,
        Command::ReadSignals => stages::signals(bench, store, state).await,
        Command::RunTraffic { batch, tasks } => stages::traffic(bench, store, state, *batch, tasks, progress).await,
        Command::ReviseClusters { found } => stages::clusters(bench, state, found).await,
        Command::Curate { clusters, cases } => curate::curate(bench, state, clusters, cases, progress).await,
        Command::TryCases { cases } => cases::try_cases(bench, store, state, cases, progress).await,
        Command::ReviseSuite { changes } => Ok(Event::SuiteRevised {
            changes: changes.clone(),
        }),
        Command::Propose {
            experiment,
            cluster,
            start,
        } => propose::propose(request, bench, store, state, (experiment, cluster, *start)).await,
        Command::Screen {
            experiment,
            cluster,
            drafts,
        } => screen::screen(bench, store, state, (experiment, cluster, drafts)).await,
        Command::Ablate { kept, candidate, tasks } => {
            ablate::ablate(bench, store, state, (kept, candidate, tasks)).await
        }
        Command::Race {
            experiment,
            cluster,
            drafts,
            task,
            trial,
        } => race::race(bench, store, state, (experiment, cluster, drafts), (task, *trial)).await,
        Command::Decide {
            experiment,
            ground,
            reason,
        } => Ok(Event::Decided {
            experiment: experiment.clone(),
            ground: *ground,
            reason: reason.clone(),
        }),
        Command::Promote {
            experiment,
            cases,
            resolved,
        } => Ok(Event::Promoted {
            experiment: experiment.clone(),
            cases: cases.clone(),
            resolved: resolved.clone(),
        }),
        Command::Publish { experiment } => publish::publish(request, state, experiment),
        Command::Finish { reason } => Ok(Event::Finished { reason: reason.clone() }),
    }
}

fn check_splits(train: &[sprag_core::id::TaskId], validation: &[sprag_core::id::TaskId]) -> Result<(), FlowError> {
    let shared = validation.iter().filter(|task| train.contains(task)).count();
    match (train.is_empty(), validation.is_empty()) {
        (true, _) => Err(FlowError::NoTasks { split: "train" }),
        (_, true) => Err(FlowError::NoTasks { split: "validation" }),
        _ if shared > 0 => Err(FlowError::Leak {
            shared,
            validation: validation.len(),
        }),
        _ => Ok(()),
    }
}

fn plan(
    request: &Request<'_>,
    bench: &Bench<'_>,
    train: Vec<sprag_core::id::TaskId>,
    n_validation: usize,
    progress: &Progress,
) -> Result<Plan, FlowError> {
    let config = request.config;
    let redactor = Redactor::new(&config.redact);
    let (mut known, mut issues) = (request.known.clone(), request.issues.clone());
    known.lessons = learnings::told(request, &known.learnings)?;
    let left_out = [
        (held_out::forget_failures(bench, &train, &mut known), "known failures"),
        (held_out::forget_issues(bench, &mut issues), "issues"),
        (held_out::forget_learnings(bench, &mut known), "learnings"),
    ];
    for (n, what) in left_out.iter().filter(|(n, _)| *n > 0) {
        progress.line(&format!("left out, since they show held-out tasks: {n} {what}"));
    }
    issues.iter_mut().for_each(|issue| redactor.clean(issue));
    Ok(Plan {
        config: config.digest(),
        runner: request.runner_identity.clone(),
        seed: request.seed,
        batches: request.batches,
        batch_size: config.traffic.batch_size,
        trials: config.runner.trials,
        limits: Limits {
            experiments: request.experiments,
            experiments_per_batch: config.budget.experiments,
            task_runs: config.budget.task_runs,
            usd: config.budget.usd,
        },
        gate: config.gate,
        train,
        advised: request.advisor.is_some(),
        review: config.review,
        n_validation,
        validation_set: bench.validation_set(),
        fails_before: config.cases.fails_before,
        search: config.search,
        issues,
        known,
        harness: request.harness.clone(),
    })
}

/// A resumed run must be the run that was begun: another seed or configuration would mix two experiments in one ledger.
fn check_same_run(request: &Request<'_>, store: &dyn Store, n_validation: usize) -> Result<(), FlowError> {
    let Some(Event::Started(plan)) = store.entries().first().map(|entry| &entry.event) else {
        return Ok(());
    };
    let differs = [
        (plan.config != request.config.digest(), "configuration"),
        (plan.seed != request.seed, "seed"),
        (plan.batches != request.batches, "number of batches"),
        (plan.limits.experiments != request.experiments, "number of experiments"),
        (plan.runner != request.runner_identity, "runner"),
        (plan.n_validation != n_validation, "validation set"),
        // Where changes are merged at once, the branch has moved on with them.
        (!request.merge && plan.harness != request.harness, "harness"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        Some((_, what)) => Err(FlowError::OtherRun {
            out: request.out.clone(),
            what,
        }),
        None => Ok(()),
    }
}
