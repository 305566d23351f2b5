//! What a job that runs foreign code may hand to the job that writes to GitHub, and what that job believes of it.
//!
//! It believes measurements, since only running code could check them. It does not believe anything else: the rules of the run are those of
//! the repository, every entry of the ledger is what the machine had asked for, and every accepted change is held against the rules again.

use crate::book::Book;
use crate::candidate::check::{Guarded, objection};
use crate::config::Config;
use crate::fact::{Fact, What};
use crate::harness::{Harness, PathPolicy};
use crate::id::RunId;
use crate::ledger::{Entry, Event, Plan};
use crate::machine::{self, Command, State};

/// What holds for a run, from files that no candidate has touched.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The checked `sprag.toml`.
    pub config: &'a Config,
    /// What determines results besides harness, task, trial and seed.
    pub runner: &'a str,
    /// The harness on the default branch.
    pub harness: &'a Harness,
    /// What a candidate may change.
    pub policy: &'a PathPolicy,
    /// The commit of all of it.
    pub commit: &'a str,
}

/// Why facts are not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The id would not be one of sprag's, or is that of a run which is over.
    #[error("`{0}` is no run that could be begun or gone on with")]
    Run(String),
    /// Only measurements may be handed over.
    #[error("it holds a fact that a job which measures may not write: {0}")]
    Fact(String),
    /// The ledger was changed, or is another one.
    #[error("entry {0} does not follow from the ledger on the state branch")]
    Entry(u64),
    /// The run was begun under other rules.
    #[error("the run was begun with another {0} than the default branch has")]
    Plan(&'static str),
    /// Nobody had asked for it.
    #[error("entry {0} is not what the run had to do next")]
    Unasked(u64),
    /// A change breaks the rules, though the ledger says that it breaks none.
    #[error("entry {0} holds a change that may not be made: {1}")]
    Change(u64, String),
    /// A cluster has an id that sprag gives none.
    #[error("entry {0} is about a cluster whose name sprag does not give")]
    Cluster(u64),
}

/// Checks facts that another job noted for one run, and gives the state they lead to; `None` when the run has no entry yet.
///
/// # Errors
/// The first thing that is not believed.
pub fn check(facts: &[Fact], book: &Book, run: &RunId, terms: &Terms<'_>) -> Result<Option<State>, Refusal> {
    let known = book.runs.get(run).map_or(&[][..], Vec::as_slice);
    let may_go_on = if known.is_empty() {
        is_id(run)
    } else {
        book.latest_run() == Some(run)
    };
    if !may_go_on {
        return Err(Refusal::Run(run.to_string()));
    }
    let mut ledger: Vec<&Entry> = known.iter().collect();
    for fact in facts {
        match &fact.what {
            What::RunEntry { run: of, entry } if of == run && fact.at == entry.at => {
                if !entry.follows(ledger.last().copied()) {
                    return Err(Refusal::Entry(entry.seq));
                }
                ledger.push(entry);
            }
            What::SuiteMeasured { sha, .. } if sha == terms.commit => {}
            What::SuiteMeasured { .. } => return Err(Refusal::Fact("the suite of another commit".to_owned())),
            What::RunEntry { .. } => return Err(Refusal::Fact("an entry of another run".to_owned())),
            _ => {
                return Err(Refusal::Fact(
                    "neither an entry of its run nor a result of the suite".to_owned(),
                ));
            }
        }
    }
    follow(&ledger, known.len(), terms)
}

/// `r0012-9f86d081`, as runs are called.
fn is_id(run: &RunId) -> bool {
    let parts = run.as_str().strip_prefix('r').and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(number, mark)| {
        (4..=9).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && mark.len() == 8
            && mark.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Goes through a ledger as the run did. What the state branch had before is not looked at again.
fn follow(ledger: &[&Entry], known: usize, terms: &Terms<'_>) -> Result<Option<State>, Refusal> {
    let (mut state, mut commands): (Option<State>, Vec<Command>) = (None, Vec::new());
    for (n, entry) in ledger.iter().enumerate() {
        if let Event::Started(plan) = &entry.event {
            match differs(plan, terms) {
                Some(what) => return Err(Refusal::Plan(what)),
                None if n > 0 => return Err(Refusal::Unasked(entry.seq)),
                None => {}
            }
        } else if n >= known {
            let (Some(state), Some(command)) = (&state, commands.first()) else {
                return Err(Refusal::Unasked(entry.seq));
            };
            look(state, command, entry, terms)?;
        }
        (state, commands) = machine::step(state, &entry.event);
    }
    Ok(state)
}

/// What of a plan is not as the repository has it.
fn differs(plan: &Plan, terms: &Terms<'_>) -> Option<&'static str> {
    let config = terms.config;
    let (limits, budget) = (&plan.limits, &config.budget);
    let differs = [
        (plan.config != config.digest(), "configuration"),
        (plan.runner != terms.runner, "runner"),
        (plan.harness != *terms.harness, "harness"),
        (plan.gate != config.gate, "gate"),
        (plan.review != config.review, "review"),
        (plan.search != config.search, "search"),
        (
            plan.trials != config.runner.trials
                || plan.batch_size != config.traffic.batch_size
                || plan.fails_before != config.cases.fails_before,
            "number of trials",
        ),
        (
            limits.task_runs != budget.task_runs
                || limits.usd.to_bits() != budget.usd.to_bits()
                || limits.experiments_per_batch != budget.experiments
                || limits.experiments != budget.experiments.saturating_mul(plan.batches),
            "budget",
        ),
    ];
    differs.iter().find(|(differs, _)| *differs).map(|(_, what)| *what)
}

fn look(state: &State, command: &Command, entry: &Entry, terms: &Terms<'_>) -> Result<(), Refusal> {
    if !answers(command, &entry.event) {
        return Err(Refusal::Unasked(entry.seq));
    }
    let (Event::Proposed {
        candidate,
        objection: told,
        ..
    }
    | Event::Drafted {
        candidate,
        objection: told,
        ..
    }) = &entry.event
    else {
        return Ok(());
    };
    // It becomes the name of a branch.
    let name = candidate.cluster.as_str().strip_prefix("c-").unwrap_or_default();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Refusal::Cluster(entry.seq));
    }
    let guarded = Guarded::of(&state.plan.train, state.cases.cases.values(), state.records.values());
    match objection(&state.incumbent, &candidate.changes, terms.policy, &guarded) {
        Some(found) if told.is_none() => Err(Refusal::Change(entry.seq, found)),
        _ => Ok(()),
    }
}

/// Whether an event is what a command leads to. What follows without a measurement must be so to the letter.
fn answers(command: &Command, event: &Event) -> bool {
    match (command, event) {
        (Command::ReadSignals, Event::SignalsRead { .. })
        | (Command::ReviseClusters { .. }, Event::ClustersRevised { .. })
        | (Command::Curate { .. }, Event::Curated { .. })
        | (Command::TryCases { .. }, Event::CasesTried { .. }) => true,
        (Command::RunTraffic { batch, .. }, Event::TrafficRan { batch: ran, .. }) => batch == ran,
        (Command::Propose { .. } | Command::Screen { .. } | Command::Race { .. }, _) => answers_draft(command, event),
        (Command::Ablate { kept, tasks, .. }, Event::Ablated { kept: of, failed, .. }) => {
            kept == of && failed.iter().all(|task| tasks.contains(task))
        }
        (
            Command::Buy {
                experiment, request, ..
            },
            Event::Bought {
                experiment: of,
                request: made,
                outcomes,
                ..
            },
        ) => (experiment, request) == (of, made) && outcomes.len() == request.tasks.len(),
        (Command::ReviseSuite { changes }, Event::SuiteRevised { changes: told }) => changes == told,
        (
            Command::Decide {
                experiment,
                ground,
                reason,
            },
            Event::Decided {
                experiment: of,
                ground: was,
                reason: told,
            },
        ) => (experiment, ground, reason) == (of, was, told),
        (
            Command::Promote {
                experiment,
                cases,
                resolved,
            },
            Event::Promoted {
                experiment: of,
                cases: told,
                resolved: gone,
            },
        ) => (experiment, cases, resolved) == (of, told, gone),
        (Command::Publish { experiment }, Event::Published { experiment: of, .. }) => experiment == of,
        (Command::Finish { reason }, Event::Finished { reason: told }) => reason == told,
        _ => false,
    }
}

/// The same of what is proposed.
fn answers_draft(command: &Command, event: &Event) -> bool {
    match (command, event) {
        (
            Command::Propose {
                experiment,
                cluster,
                start: None,
            },
            Event::Proposed {
                experiment: of,
                candidate,
                ..
            },
        ) => experiment == of && *cluster == candidate.cluster,
        (
            Command::Propose {
                experiment,
                cluster,
                start: Some(start),
            },
            Event::Drafted {
                experiment: of,
                start: from,
                candidate,
                ..
            },
        ) => (experiment, start) == (of, from) && *cluster == candidate.cluster,
        (
            Command::Screen {
                experiment,
                cluster,
                drafts,
            },
            Event::Screened {
                experiment: of,
                cluster: on,
                screened,
                ..
            },
        ) => (experiment, cluster) == (of, on) && drafts.len() == screened.len(),
        (
            Command::Race {
                experiment,
                cluster,
                drafts,
                task,
                trial,
            },
            Event::Raced {
                experiment: of,
                cluster: on,
                task: ran,
                trial: number,
                outcomes,
                ..
            },
        ) => {
            let ids = drafts.iter().map(|draft| &draft.id);
            (experiment, cluster, task, trial) == (of, on, ran, number) && ids.eq(outcomes.iter().map(|(id, _)| id))
        }
        (Command::Propose { cluster, .. }, Event::NothingProposed { cluster: of, .. }) => cluster == of,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Spent;
    use crate::candidate::Candidate;
    use crate::id::{ClusterId, ExperimentId, HarnessId, TaskId};
    use crate::search::{Screened, Start};

    fn candidate(cluster: &str) -> Candidate {
        crate::candidate::tests::candidate("x", cluster, HarnessId::new("h"))
    }

    #[test]
    fn a_draft_is_believed_from_the_start_and_for_the_cluster_that_were_asked_for() {
        let asked = Command::Propose {
            experiment: ExperimentId::new("E001"),
            cluster: ClusterId::new("c-1"),
            start: Some(Start::Minimal),
        };
        let drafted = |experiment: &str, start, cluster| Event::Drafted {
            experiment: ExperimentId::new(experiment),
            start,
            candidate: Box::new(candidate(cluster)),
            objection: None,
            spent: Spent::default(),
        };
        assert!(answers(&asked, &drafted("E001", Start::Minimal, "c-1")));
        for other in [
            drafted("E002", Start::Minimal, "c-1"),
            drafted("E001", Start::Simplify, "c-1"),
            drafted("E001", Start::Minimal, "c-2"),
        ] {
            assert!(!answers(&asked, &other), "{other:?}");
        }
        let greedy = Command::Propose {
            experiment: ExperimentId::new("E001"),
            cluster: ClusterId::new("c-1"),
            start: None,
        };
        assert!(
            !answers(&greedy, &drafted("E001", Start::Minimal, "c-1")),
            "nobody asked for drafts"
        );
    }

    #[test]
    fn each_draft_is_screened_and_only_what_was_run_has_failed() {
        let asked = Command::Screen {
            experiment: ExperimentId::new("E001"),
            cluster: ClusterId::new("c-1"),
            drafts: vec![candidate("c-1"), candidate("c-1")],
        };
        let screened = |cluster: &str, n: usize| Event::Screened {
            experiment: ExperimentId::new("E001"),
            cluster: ClusterId::new(cluster),
            screened: vec![Screened::default(); n],
            spent: Spent::default(),
        };
        assert!(answers(&asked, &screened("c-1", 2)));
        assert!(!answers(&asked, &screened("c-1", 1)) && !answers(&asked, &screened("c-2", 2)));

        let asked = Command::Ablate {
            kept: ExperimentId::new("E001"),
            candidate: Box::new(candidate("c-1")),
            tasks: vec![TaskId::new("t1")],
        };
        let ablated = |kept: &str, failed: &[&str]| Event::Ablated {
            kept: ExperimentId::new(kept),
            failed: failed.iter().map(|task| TaskId::new(*task)).collect(),
            spent: Spent::default(),
        };
        assert!(answers(&asked, &ablated("E001", &[])) && answers(&asked, &ablated("E001", &["t1"])));
        assert!(!answers(&asked, &ablated("E002", &[])) && !answers(&asked, &ablated("E001", &["t2"])));
    }
}
