//! Lets a model edit: it gets the brief and the tools of a [`Desk`], step after step, until it hands in its change or a limit is reached.

use super::{Proposed, Question, examples};
use crate::flow::FlowError;
use crate::flow::advise::Advisor;
use crate::flow::context::allowance;
use crate::store::Store;
use sprag_core::budget::Spent;
use sprag_core::candidate::Candidate;
use sprag_core::id::TaskId;
use sprag_core::model::{FaultClass, ModelAnswer};
use sprag_core::propose::brief::within;
use sprag_core::propose::desk::{Answer, Desk};
use sprag_core::propose::talk::Talk;
use sprag_core::trial::TrialStatus;
use std::sync::atomic::Ordering;

/// The most bytes of a brief, whatever the model reads.
const BRIEF: u64 = 40_000;

pub(super) async fn propose(question: &Question<'_, '_>, store: &mut dyn Store) -> Result<Proposed, FlowError> {
    let left = allowance(question.state);
    let Some(advisor) = question.bench.advisor(left) else {
        return Ok(Proposed::nothing("there is no model to ask", Spent::default()));
    };
    let look = &question.look;
    let (trials, spent) = look.at(store, &question.state.incumbent, Spent::default()).await?;
    let base = examples(&look.tasks, &trials);
    let policy = advisor.policy();
    // Half of what it reads, at three bytes a token; the rest is for what it looks at.
    let room = (policy.max_input_tokens * 3 / 2).min(BRIEF);
    let brief = question.brief(&base, usize::try_from(room).unwrap_or(usize::MAX));
    let mut editor = Editor {
        question,
        advisor,
        desk: Desk::new(&question.state.incumbent, &question.request.policy, &look.tasks),
        talk: Talk::new(policy, brief),
        runs: 0,
        spent,
    };
    let change = editor.work(store).await;
    // Also what was asked in vain was paid.
    editor.spent.usd += advisor.paid();
    let spent = editor.spent;
    Ok(Proposed {
        change: change?.map(Box::new),
        spent,
    })
}

struct Editor<'a, 'b> {
    question: &'a Question<'a, 'b>,
    advisor: &'a Advisor,
    desk: Desk<'a>,
    talk: Talk,
    runs: u32,
    /// On runs; what the model costs is booked at the end.
    spent: Spent,
}

impl Editor<'_, '_> {
    /// The change, or why there is none.
    async fn work(&mut self, store: &mut dyn Store) -> Result<Result<Candidate, String>, FlowError> {
        let limits = self.question.request.config.proposer.limits;
        let mut silent = 0;
        for step in 1..=limits.steps {
            if self.question.request.interrupted.load(Ordering::Relaxed) {
                return Err(FlowError::Interrupted);
            }
            if self.talk.tokens() >= limits.tokens {
                return Ok(Err(format!("the model used up its {} tokens", limits.tokens)));
            }
            let answer = match self.ask().await? {
                Ok(answer) => answer,
                Err(reason) => return Ok(Err(reason)),
            };
            silent = if answer.calls.is_empty() { silent + 1 } else { 0 };
            if silent > 1 {
                return Ok(Err(format!(
                    "the model proposes nothing: {}",
                    within(answer.text.trim(), 300)
                )));
            }
            self.talk.heard(&answer);
            for call in &answer.calls {
                let (text, error) = match self.desk.apply(call) {
                    Answer::Said(text) => (text, false),
                    Answer::Refused(problem) => (problem, true),
                    Answer::Run(_) if self.runs >= limits.runs => ("no runs are left".to_owned(), true),
                    Answer::Run(task) => (self.run(store, &task).await?, false),
                    Answer::Finished(finish) => {
                        let origin = format!(
                            "model: {}, {step} steps, {} runs",
                            self.advisor.policy().model,
                            self.runs
                        );
                        let candidate = self.desk.candidate(self.question.cluster, &finish, origin);
                        return Ok(candidate.ok_or_else(|| "the model changed nothing".to_owned()));
                    }
                };
                self.talk.answered(call, text, error);
            }
        }
        Ok(Err(format!("the model did not finish within {} steps", limits.steps)))
    }

    /// The next answer, or why there will be none. What is too long for the model is made shorter.
    async fn ask(&mut self) -> Result<Result<ModelAnswer, String>, FlowError> {
        loop {
            let request = self.talk.request(self.desk.notes());
            match self.advisor.answer(&request).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(error) if error.is_loud() => return Err(error.into()),
                Err(error) if error.class() == Some(FaultClass::ContextLength) && self.talk.shorten() => {}
                Err(error) => return Ok(Err(format!("the model gives no answer: {error}"))),
            }
        }
    }

    /// What a train task does on the harness as it is on the desk.
    async fn run(&mut self, store: &mut dyn Store, task: &TaskId) -> Result<String, FlowError> {
        self.runs += 1;
        let tasks = [task.clone()];
        // What the model has cost is not in the ledger yet.
        let usd = self.advisor.paid();
        self.spent.usd += usd;
        let harness = self.desk.harness();
        let (trials, cost) = self.question.look.at_some(store, harness, &tasks, self.spent).await?;
        self.spent.add(cost);
        let mut left = allowance(self.question.state);
        left.spent.add(self.spent);
        self.question.bench.advisor(left);
        let trial = &trials[0];
        let verdict = match &trial.status {
            TrialStatus::Passed => "it passes".to_owned(),
            TrialStatus::Failed => "it fails".to_owned(),
            TrialStatus::Errored { message, .. } => format!("it has no verdict: {}", within(message, 500)),
        };
        let trace = trial.trace.as_ref().map(|trace| self.talk.shown(trace));
        Ok(format!("{verdict}\n{}", trace.unwrap_or_default()))
    }
}
