//! Makes task runs, through the record: a run that is recorded is not made again.

use super::advise::Advisor;
use super::{FlowError, Request};
use crate::progress::Progress;
use crate::runner::{Job, Runner};
use crate::store::{DirStore, Store, head};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use sprag_core::budget::{Limits, Spent};
use sprag_core::candidate::check::names_any;
use sprag_core::case::{EvalCase, near};
use sprag_core::failure::{FailureKind, FailureRecord};
use sprag_core::harness::{FileChange, Harness};
use sprag_core::hash;
use sprag_core::id::{HarnessId, RunKey, TaskId};
use sprag_core::ledger::Entry;
use sprag_core::machine::{self, PassedRun};
use sprag_core::mine::text::shortened;
use sprag_core::redact::Redactor;
use sprag_core::signal::{self, Clue, Report};
use sprag_core::trace::{Role, Trace};
use sprag_core::trial::{Trial, TrialStatus};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Makes runs of train tasks with traces, and runs of the validation set without.
pub(super) struct Bench<'a> {
    runner: &'a dyn Runner,
    identity: &'a str,
    seed: u64,
    /// The held-out tasks, in the order of their numbers. They never leave this struct but for the runner.
    validation: Vec<TaskId>,
    /// What the names of recorded inputs stand for.
    recorded: Mutex<BTreeMap<TaskId, Arc<Value>>>,
    /// What a runner hands over goes through it before anything else sees it.
    redactor: Redactor,
    advisor: Option<&'a Advisor>,
    progress: &'a Progress,
    interrupted: Arc<AtomicBool>,
    /// The runs whose cost this process has counted.
    counted: Mutex<BTreeSet<RunKey>>,
}

impl fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench")
            .field("n_validation", &self.validation.len())
            .finish_non_exhaustive()
    }
}

/// How much of the budget is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) limits: Limits,
    pub(super) spent: Spent,
}

impl<'a> Bench<'a> {
    pub(super) fn new(request: &'a Request<'_>, mut validation: Vec<TaskId>, progress: &'a Progress) -> Self {
        // In an order that the ids do not tell: whoever reads the ledger sees how a number did, and not what it stands for.
        validation.sort_by_cached_key(|task| hash::of(&(request.seed, "held out", task)));
        Self {
            runner: request.runner,
            identity: &request.runner_identity,
            seed: request.seed,
            validation,
            recorded: Mutex::default(),
            redactor: Redactor::new(&request.config.redact),
            advisor: request.advisor,
            progress,
            interrupted: request.interrupted.clone(),
            counted: Mutex::default(),
        }
    }

    /// Runs train tasks, each with the number of its trial, with traces. In the order asked for.
    pub(super) async fn train(
        &self,
        store: &mut dyn Store,
        what: &str,
        harness: &Harness,
        tasks: &[(TaskId, u32)],
        allowance: Allowance,
    ) -> Result<(Vec<Trial>, Spent), FlowError> {
        let job = |(task, trial): &(TaskId, u32)| self.job(task, *trial);
        self.run(store, what, harness, tasks.iter().map(job).collect(), allowance)
            .await
    }

    /// What happened in a train run of the traffic, if it is still on record. Nothing is run.
    pub(super) fn recorded(&self, store: &dyn Store, run: &PassedRun) -> Result<Option<Trace>, FlowError> {
        let job = self.job(&run.task, run.trial);
        let recorded = store.recorded(&key(store.salt(), self.identity, &run.harness, &job))?;
        Ok(recorded.and_then(|recorded| recorded.trial.trace))
    }

    /// Runs held-out tasks, each by its number and the number of its trial, without traces. Which task has which number is known here alone.
    pub(super) async fn held_out(
        &self,
        store: &mut dyn Store,
        what: &str,
        harness: &Harness,
        tasks: &[(u32, u32)],
        allowance: Allowance,
    ) -> Result<(Vec<Trial>, Spent), FlowError> {
        let job = |(number, trial): &(u32, u32)| {
            let at = usize::try_from(*number).ok();
            let task = at.and_then(|at| self.validation.get(at));
            Job {
                trace: false,
                ..self.job(task.expect("the gate knows how many held-out tasks there are"), *trial)
            }
        };
        let jobs = tasks.iter().map(job).collect();
        self.run(store, what, harness, jobs, allowance).await
    }

    /// Who says why runs failed, beside the rules; it may spend what is left.
    pub(super) fn advisor(&self, left: Allowance) -> Option<&'a Advisor> {
        self.advisor
            .inspect(|advisor| advisor.allow(left.limits.usd - left.spent.usd))
    }

    /// Takes the secrets out of what did not come from the runner.
    pub(super) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Names a train run: what a failure record made from it is identified by.
    pub(super) fn source(&self, harness: &HarnessId, task: &TaskId, trial: u32) -> String {
        key("", self.identity, harness, &self.job(task, trial)).to_string()
    }

    fn job(&self, task: &TaskId, trial: u32) -> Job {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        Job {
            task: task.clone(),
            case: recorded.get(task).cloned(),
            trial,
            seed: self.seed_of(trial),
            trace: true,
        }
    }

    /// Learns what the names of recorded inputs stand for.
    pub(super) fn know<'c>(&self, cases: impl IntoIterator<Item = &'c EvalCase>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        for case in cases
            .into_iter()
            .filter(|case| !recorded.contains_key(&case.task))
            .collect::<Vec<_>>()
        {
            if let Some(run) = case.recorded_run() {
                recorded.insert(case.task.clone(), Arc::new(run));
            }
        }
    }

    /// Why recorded inputs cannot be run; `None` when they can.
    pub(super) async fn cases_refused(&self) -> Result<Option<String>, FlowError> {
        Ok(self.runner.cases_refused().await?)
    }

    /// Whether a case says what a held-out task says. `seen_as` are the names under which its failures were seen. Which task it is stays
    /// here.
    pub(super) fn leaks(&self, case: &EvalCase, seen_as: &[&TaskId]) -> bool {
        if self
            .validation
            .iter()
            .any(|held_out| *held_out == case.task || seen_as.contains(&held_out))
        {
            return true;
        }
        // That a train task is none of these is the runner's word, and was checked.
        let input = case.input.as_ref().filter(|_| case.is_recorded());
        input.is_some_and(|input| self.says_held_out(&input.messages))
    }

    /// A hash of which tasks are held out. It names none: whoever does not have the whole list cannot make it.
    pub(super) fn validation_set(&self) -> String {
        let mut ids: Vec<&TaskId> = self.validation.iter().collect();
        ids.sort();
        hash::of(&("validation set", ids))
    }

    /// Whether a task is held out.
    pub(super) fn holds_out(&self, task: &TaskId) -> bool {
        self.validation.contains(task)
    }

    /// Whether it is known what each held-out task begins with.
    pub(super) fn knows_held_out_inputs(&self) -> bool {
        self.runner.held_out_inputs().len() >= self.validation.len()
    }

    /// Whether a person says what a held-out task begins with, or nearly, as far as the runner tells what they begin with. The text may be
    /// redacted, and cut off with `…`.
    pub(super) fn says_held_out(&self, messages: &[String]) -> bool {
        let Some(first) = messages.first().filter(|first| !first.trim().is_empty()) else {
            return false;
        };
        let whole = messages.join("\n");
        let cut_off = first.ends_with('…').then(|| first.chars().count());
        self.runner.held_out_inputs().into_iter().any(|text| {
            let mut redacted = text.clone();
            self.redactor.clean(&mut redacted);
            [text, redacted].iter().any(|text| {
                let begins = cut_off.is_some_and(|chars| near(&shortened(text, chars), first));
                begins || near(text, &whole) || near(text, first)
            })
        })
    }

    /// Whether an issue names a held-out task, or shows a run of one. A number alone names none: issues are full of numbers.
    pub(super) fn leads_to_held_out(&self, issue: &Report) -> bool {
        let is_name = |task: &&TaskId| !task.as_str().bytes().all(|byte| byte.is_ascii_digit());
        let names: Vec<TaskId> = self.validation.iter().filter(is_name).cloned().collect();
        signal::leads(issue, &names, None).iter().any(|lead| match &lead.clue {
            Clue::Task(_) => true,
            Clue::Trace(read) => {
                let by_person = read.trace.steps.iter().filter(|step| step.role == Role::User);
                let said: Vec<String> = by_person.map(|step| step.content.clone()).collect();
                self.holds_out(&read.task) || self.says_held_out(&said)
            }
            Clue::Told(told) => self.says_held_out(std::slice::from_ref(&told.asked)),
            Clue::Attachment { .. } | Clue::Artifact { .. } | Clue::WorkflowRun { .. } | Clue::Unreadable(_) => false,
        })
    }

    /// Whether a change names a held-out task. Which one stays here.
    pub(super) fn names_held_out(&self, before: &Harness, changes: &[FileChange]) -> bool {
        names_any(before, changes, self.validation.iter().map(TaskId::as_str))
    }

    /// Whether a text names a held-out task. Which one stays here.
    pub(super) fn says_held_out_id(&self, text: &str) -> bool {
        let text = FileChange {
            path: String::new(),
            text: Some(text.to_owned()),
        };
        self.names_held_out(&Harness::default(), &[text])
    }

    /// The same trial number has the same seed on every harness, so that comparisons are paired.
    fn seed_of(&self, trial: u32) -> u64 {
        self.seed.wrapping_add(u64::from(trial))
    }

    async fn run(
        &self,
        store: &mut dyn Store,
        what: &str,
        harness: &Harness,
        jobs: Vec<Job>,
        allowance: Allowance,
    ) -> Result<(Vec<Trial>, Spent), FlowError> {
        let id = harness.id();
        let keys: Vec<RunKey> = jobs
            .iter()
            .map(|job| key(store.salt(), self.identity, &id, job))
            .collect();
        let mut trials = Vec::with_capacity(jobs.len());
        let mut charged = self.charged(store, &keys, &mut trials)?;
        let affordable =
            usize::try_from(allowance.limits.task_runs.saturating_sub(allowance.spent.task_runs)).unwrap_or(usize::MAX);
        charged.truncate(affordable);
        let missing: Vec<usize> = charged.iter().copied().filter(|&at| trials[at].is_none()).collect();
        if !missing.is_empty() {
            self.runner.allow(allowance.limits.usd - allowance.spent.usd);
            self.advisor(allowance);
            let wanted: Vec<Job> = missing.iter().map(|&at| jobs[at].clone()).collect();
            self.make(store, what, harness, &wanted, |store, at, trial| {
                let at = missing[at];
                // An errored run has no verdict to keep: it is made again when it is asked for again.
                if trial.has_verdict() {
                    store.record(&keys[at], &trial)?;
                }
                trials[at] = Some(trial);
                Ok(())
            })
            .await?;
        }
        // In the order of the jobs and not of their ends: sums of dollars depend on it.
        let mut spent = Spent::default();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for at in charged {
            trials[at].iter().for_each(|trial| spent.count(trial));
            counted.insert(keys[at].clone());
        }
        let unpaid = || {
            Trial::errored(
                FailureKind::Infrastructure,
                "the budget of task runs was spent before this run",
            )
        };
        Ok((
            trials.into_iter().map(|trial| trial.unwrap_or_else(unpaid)).collect(),
            spent,
        ))
    }

    /// Fills `trials` from the record. Which jobs the next entry of the ledger has to pay for: those that are not on record, and those
    /// that were made for this very entry by a process that was killed before it could write it down.
    fn charged(
        &self,
        store: &dyn Store,
        keys: &[RunKey],
        trials: &mut Vec<Option<Trial>>,
    ) -> Result<Vec<usize>, FlowError> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut charged = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let recorded = store.recorded(key)?;
            if recorded
                .as_ref()
                .is_none_or(|recorded| recorded.after == head(store.entries()) && !counted.contains(key))
            {
                charged.push(at);
            }
            trials.push(recorded.map(|recorded| recorded.trial));
        }
        Ok(charged)
    }

    async fn make(
        &self,
        store: &mut dyn Store,
        what: &str,
        harness: &Harness,
        jobs: &[Job],
        mut take: impl FnMut(&mut dyn Store, usize, Trial) -> Result<(), FlowError>,
    ) -> Result<(), FlowError> {
        self.progress.begin(what, jobs.len());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut running = self.runner.run(harness, jobs, sender);
        let mut judging = FuturesUnordered::new();
        let (mut ended, mut all_in) = (None, false);
        while !all_in || !judging.is_empty() {
            let settled = tokio::select! {
                // Results first, so that none is left in the channel when the runner ends.
                biased;
                received = receiver.recv(), if !all_in => match received {
                    Some((at, mut trial)) => {
                        self.redactor.clean(&mut trial);
                        if self.advisor.is_some() && !trial.rubrics.is_empty() {
                            judging.push(self.judged(at, trial));
                            None
                        } else {
                            Some((at, trial))
                        }
                    }
                    None => {
                        all_in = true;
                        None
                    }
                },
                Some(judged) = judging.next(), if !judging.is_empty() => Some(judged?),
                result = &mut running, if ended.is_none() => {
                    ended = Some(result);
                    None
                }
            };
            if let Some((at, trial)) = settled {
                take(store, at, trial)?;
                self.progress.tick();
                if self.interrupted.load(Ordering::Relaxed) {
                    self.progress.end();
                    return Err(FlowError::Interrupted);
                }
            }
        }
        let result = match ended {
            Some(result) => result,
            None => running.await,
        };
        self.progress.end();
        Ok(result?)
    }
}

impl Bench<'_> {
    /// Whether there is a model that can judge runs.
    pub(super) fn has_judge(&self) -> bool {
        self.advisor.is_some()
    }

    /// A run with the verdict that only a model could give; without one where the model has none. What the model costs is part of the run's cost.
    async fn judged(&self, at: usize, mut trial: Trial) -> Result<(usize, Trial), FlowError> {
        if let (Some(advisor), Some(trace)) = (self.advisor, &trial.trace) {
            match advisor.judge(trace, &trial.rubrics).await? {
                Some(holds) => trial.judge(&holds),
                None => {
                    let message = "the model that should have judged the run gave no answer that holds".to_owned();
                    let kind = FailureKind::Evaluator;
                    trial.status = TrialStatus::Errored { kind, message };
                }
            }
            trial.usage.usd += advisor.paid_for_run();
        }
        Ok((at, trial))
    }
}

/// The trace of a failure that a run in the folder `state` has seen, if it is still on record: what the failure is named by is made again for every
/// harness that was incumbent.
pub fn recorded_trace(state: &Path, ledger: &[Entry], record: &FailureRecord) -> Option<Trace> {
    let (known, _) = machine::replay(ledger.iter().map(|entry| &entry.event));
    let known = known?;
    let plan = &known.plan;
    let mut harness = plan.harness.clone();
    let mut harnesses = vec![harness.id()];
    for experiment in known.experiments.iter().filter(|experiment| experiment.accepted()) {
        harness = harness.with(&experiment.candidate.changes);
        harnesses.push(harness.id());
    }
    let jobs = (0..plan.batches.saturating_mul(plan.trials)).map(|trial| Job {
        task: record.task.clone(),
        trial,
        seed: plan.seed.wrapping_add(u64::from(trial)),
        trace: true,
        case: None,
    });
    let (harness, job) = jobs
        .flat_map(|job| harnesses.iter().map(move |harness| (harness, job.clone())))
        .find(|(harness, job)| {
            let source = key("", &plan.runner, harness, job).to_string();
            hash::of_text(&source) == record.id.as_str()
        })?;
    DirStore::recorded_in(state, |salt| key(salt, &plan.runner, harness, &job))?
        .trial
        .trace
}

fn key(salt: &str, identity: &str, harness: &HarnessId, job: &Job) -> RunKey {
    let of_task = (salt, identity, harness, &job.task, job.trial, job.seed, job.trace);
    RunKey::new(match &job.case {
        Some(case) => hash::of(&(of_task, case.as_ref())),
        None => hash::of(&of_task),
    })
}
