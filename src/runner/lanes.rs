//! The jobs of one call: who gets which run, what its answer means, and what is tried again.

use super::answer::{mask, trial_of};
use super::worker::{self, RunAnswer, Worker};
use super::{Job, book};
use crate::proxy::Metered;
use sprag_core::failure::FailureKind;
use sprag_core::protocol::RunRequest;
use sprag_core::trial::{Trial, Usage};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

/// After so many tasks in a row that each used up their tries by losing the worker, no more runs can be made.
const HOPELESS: u32 = 5;

/// Jobs on their way to trials, shared by the lanes.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    jobs: &'a [Job],
    retries: u32,
    done: UnboundedSender<(usize, Trial)>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Attempt>,
    unfinished: BTreeSet<usize>,
    n_asked: u64,
    losses_in_a_row: u32,
    had_results: bool,
}

/// One try of one job.
#[derive(Debug)]
struct Attempt {
    job: usize,
    tries_before: u32,
    spent_before: Usage,
}

/// A run that a worker was asked for.
#[derive(Debug)]
struct Flight {
    id: String,
    attempt: Attempt,
    deadline: Instant,
}

/// A worker that is of no use any more, and the runs that it leaves without an answer.
#[derive(Debug)]
pub(crate) struct Lost {
    /// What became of it.
    pub loss: worker::Loss,
    flights: Vec<Flight>,
    /// What it had used of the model since the last run ended.
    metered: Metered,
}

impl Lost {
    fn of(worker: &Worker, loss: worker::Loss, flights: Vec<Flight>) -> Self {
        let metered = worker.metered();
        Self { loss, flights, metered }
    }
}

impl<'a> Work<'a> {
    /// The jobs that `wanted` names, none of them started.
    pub(crate) fn new(
        jobs: &'a [Job],
        wanted: impl Fn(&Job) -> bool,
        retries: u32,
        done: UnboundedSender<(usize, Trial)>,
    ) -> Self {
        let unfinished: BTreeSet<usize> = (0..jobs.len()).filter(|&job| wanted(&jobs[job])).collect();
        let first_try = |&job: &usize| Attempt {
            job,
            tries_before: 0,
            spent_before: Usage::default(),
        };
        let queue = unfinished.iter().map(first_try).collect();
        let state = State {
            queue,
            unfinished,
            n_asked: 0,
            losses_in_a_row: 0,
            had_results: false,
        };
        Self {
            jobs,
            retries,
            done,
            state: Mutex::new(state),
        }
    }

    /// How many jobs have no trial yet.
    pub(crate) fn len(&self) -> usize {
        self.state().unfinished.len()
    }

    /// Whether every job is done or in somebody's hands.
    pub(crate) fn is_taken(&self) -> bool {
        self.state().queue.is_empty()
    }

    /// Whether any run came to a result.
    pub(crate) fn had_results(&self) -> bool {
        self.state().had_results
    }

    /// Gives every job without a trial this one.
    pub(crate) fn finish_rest(&self, trial: &Trial) {
        let rest = std::mem::take(&mut self.state().unfinished);
        for job in rest {
            // Nobody listens when the receiver is gone.
            drop(self.done.send((job, trial.clone())));
        }
    }

    /// Keeps up to `capacity` runs in a worker's hands until no job is left or the worker is lost.
    pub(crate) async fn drive(&self, worker: &mut Worker, capacity: usize, limit: Duration) -> Result<(), Lost> {
        let mut flights: Vec<Flight> = Vec::with_capacity(capacity);
        loop {
            while flights.len() < capacity
                && let Some((request, attempt)) = self.next()
            {
                let deadline = Instant::now() + limit;
                flights.push(Flight {
                    id: request.id.clone(),
                    attempt,
                    deadline,
                });
                if let Err(loss) = worker.ask_for_run(request, deadline).await {
                    return Err(Lost::of(worker, loss, flights));
                }
            }
            let Some(deadline) = flights.iter().map(|flight| flight.deadline).min() else {
                return Ok(());
            };
            match worker.run_answer(deadline).await {
                Ok(answer) => self.settle_answer(answer, &mut flights, worker),
                Err(loss) => return Err(Lost::of(worker, loss, flights)),
            }
        }
    }

    /// The next job to ask for. None when nobody waits for trials any more.
    fn next(&self) -> Option<(RunRequest, Attempt)> {
        let mut state = self.state();
        if self.done.is_closed() {
            state.queue.clear();
        }
        let attempt = state.queue.pop_front()?;
        state.n_asked += 1;
        let job = &self.jobs[attempt.job];
        let request = RunRequest {
            id: format!("r{}", state.n_asked),
            task: job.case.is_none().then(|| job.task.as_str().to_owned()),
            case: job.case.as_deref().cloned(),
            trial: job.trial,
            seed: job.seed,
            trace: job.trace,
        };
        Some((request, attempt))
    }

    fn settle_answer(&self, answer: RunAnswer, flights: &mut Vec<Flight>, worker: &Worker) {
        let (id, trial) = match answer {
            RunAnswer::Result(result) => (Some(result.id.clone()), Ok(result)),
            RunAnswer::Broken { id, reason } => (id, Err(reason)),
        };
        let position = match &id {
            Some(id) => flights.iter().position(|flight| flight.id == *id),
            None => (flights.len() == 1).then_some(0),
        };
        let Some(position) = position else {
            tracing::warn!("the worker sent a result for a run that nobody waits for; it is ignored");
            return;
        };
        let attempt = flights.swap_remove(position).attempt;
        let job = &self.jobs[attempt.job];
        let traced = job.trace;
        let mut trial = match trial {
            Ok(result) => trial_of(*result, traced, job.case.as_deref()),
            Err(reason) => Trial::errored(
                FailureKind::Evaluator,
                format!("the runner sent a broken result: {reason}"),
            ),
        };
        if !traced {
            mask(&mut trial);
        }
        book(&mut trial, worker.metered());
        let mut state = self.state();
        state.losses_in_a_row = 0;
        state.had_results = true;
        drop(state);
        self.settle(attempt, trial);
    }

    /// Charges the runs that a lost worker had. What is wrong as the end of a sentence about it, when there is no hope left.
    pub(crate) fn settle_loss(&self, lost: Lost, what: &str, log: &str) -> Option<String> {
        let now = Instant::now();
        let mut metered = lost.metered;
        for mut flight in lost.flights {
            let metered = std::mem::take(&mut metered);
            let innocent = matches!(lost.loss, worker::Loss::Silent) && flight.deadline > now;
            if innocent {
                flight.attempt.spent_before = sum(flight.attempt.spent_before, metered.usage);
                self.state().queue.push_front(flight.attempt);
                continue;
            }
            let text = match lost.loss {
                worker::Loss::Silent => format!("{what}{}", end_of(log)),
                worker::Loss::Ended | worker::Loss::Breach(_) => {
                    format!("the worker {what} in this run{}", end_of(log))
                }
            };
            let mut trial = Trial::errored(FailureKind::Infrastructure, text);
            book(&mut trial, metered);
            self.settle(flight.attempt, trial);
        }
        let mut state = self.state();
        state.losses_in_a_row += 1;
        let times = state.losses_in_a_row;
        let hopeless = times >= HOPELESS * (self.retries + 1) && !state.queue.is_empty();
        hopeless.then(|| format!("was lost {times} times in a row without a result; the last time it {what}"))
    }

    /// An error is tried again while there are tries left; what the tries cost adds up.
    fn settle(&self, mut attempt: Attempt, mut trial: Trial) {
        let usage = sum(attempt.spent_before, trial.usage);
        let mut state = self.state();
        // What only a model has still to judge ran well.
        let again = !trial.has_verdict() && trial.rubrics.is_empty();
        if again && attempt.tries_before < self.retries {
            attempt.tries_before += 1;
            attempt.spent_before = usage;
            state.queue.push_back(attempt);
            return;
        }
        state.unfinished.remove(&attempt.job);
        trial.usage = usage;
        drop(self.done.send((attempt.job, trial)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What two tries cost together.
pub(crate) fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        input_tokens: a.input_tokens.saturating_add(b.input_tokens),
        output_tokens: a.output_tokens.saturating_add(b.output_tokens),
        usd: a.usd + b.usd,
    }
}

/// The last lines of a log as the end of an error message; nothing for an empty log.
pub(crate) fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(10).collect();
    let text: String = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
    let surplus = text.chars().count().saturating_sub(1000);
    let text: String = text.chars().skip(surplus).collect();
    if text.is_empty() {
        text
    } else {
        format!("; the end of its log:\n{text}")
    }
}
