//! Publishing without a forge: the branch is really there, and what GitHub would get is written as files, to the letter.

use super::context::experiment;
use super::{FlowError, Request, learnings};
use crate::workspace::Landed;
use fs_err as fs;
use serde::Serialize;
use sprag_core::candidate::check::tree_objection;
use sprag_core::candidate::{Experiment, Proof, Verdict};
use sprag_core::case::{CaseState, EvalCase};
use sprag_core::cluster::Cluster;
use sprag_core::harness::FileChange;
use sprag_core::id::{ExperimentId, TaskId};
use sprag_core::ledger::Event;
use sprag_core::machine::State;
use sprag_core::render::check::check_runs;
use sprag_core::render::comment::issue_comment;
use sprag_core::render::markdown::plain;
use sprag_core::render::pull::pull_request;
use sprag_core::render::view::{CheckView, CommentView, GateView, PullView};
use sprag_core::score::Scorecard;
use std::path::{Path, PathBuf};

/// A change on its branch.
pub(super) struct OnBranch {
    /// The branch.
    pub(super) head: String,
    /// The branch it stands on.
    pub(super) base: String,
    pub(super) landed: Landed,
    /// The cases that come with it.
    pub(super) new_cases: Vec<EvalCase>,
    /// Whether what was learned comes with it.
    pub(super) learnings: bool,
}

/// Lands the change of an accepted experiment on its branch. Doing it again changes nothing.
pub(super) fn land(request: &Request<'_>, state: &State, id: &ExperimentId) -> Result<OnBranch, FlowError> {
    let experiment = experiment(state, id);
    let head = format!("sprag/{}", experiment.candidate.cluster);
    let base = match state
        .experiments
        .iter()
        .rev()
        .skip_while(|later| later.id != *id)
        .skip(1)
        .find_map(|earlier| state.published.get(&earlier.id))
    {
        // Nothing is merged yet, so the change stands on the one before it.
        Some(branch) if !request.merge => branch.clone(),
        _ => request.workspace.head_branch()?,
    };
    let new_cases = state.new_cases(id);
    let mut changes = experiment.candidate.changes.clone();
    for case in &new_cases {
        let text = serde_json::to_string_pretty(case).map_err(std::io::Error::from)? + "\n";
        changes.push(FileChange {
            path: EvalCase::file_of(&case.id),
            text: Some(text),
        });
    }
    let learned = learnings::with_change(request, state, id, &base)?;
    let learnings = learned.is_some();
    changes.extend(learned);
    let message = format!(
        "{}\n\n{}\n\nSprag-Experiment: {id}\nSprag-Candidate: {}\n",
        plain(&experiment.candidate.title),
        plain(&experiment.candidate.hypothesis),
        experiment.candidate.id
    );
    // A later change of the same cluster gets a branch of its own while the first one waits.
    let taken = |branch: &String, of: &ExperimentId| *branch == head && of != id;
    let head = if request.merge || !state.published.iter().any(|(of, branch)| taken(branch, of)) {
        head
    } else {
        format!("{head}-{id}")
    };
    let landed = request.workspace.land(&base, &head, &message, &changes)?;
    let changed = request.workspace.changed(&base, &landed.commit)?;
    if let Some(problem) = tree_objection(&changed, request.workspace.folder(), |path| request.policy.allows(path)) {
        return Err(FlowError::Tree { branch: head, problem });
    }
    Ok(OnBranch {
        head,
        base,
        landed,
        new_cases,
        learnings,
    })
}

/// Lands the change of an accepted experiment, and writes its pull request and check runs.
pub(super) fn publish(request: &Request<'_>, state: &State, id: &ExperimentId) -> Result<Event, FlowError> {
    let experiment = experiment(state, id);
    let on_branch = land(request, state, id)?;
    if request.merge {
        request.workspace.fast_forward(&on_branch.head)?;
    }
    let view = pull_view(request, state, experiment, &on_branch);
    let OnBranch { head, landed, .. } = on_branch;
    let pull = pull_request(&view);
    let folder = pull_folder(&request.out, id);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("pull_request.md"), pull.page())?;
    write_json(&folder.join("pull_request.json"), &pull)?;
    let checks = CheckView {
        head_sha: landed.commit,
        experiment: experiment.clone(),
        gate: gate_view(request, state),
        folder: request.workspace.folder().to_owned(),
        suite: counted(state, id),
        left_out: left_out(state),
        buttons: false,
    };
    for check in check_runs(&checks) {
        write_json(&folder.join(check_file(&check.name)), &check)?;
    }
    write_comments(request, state)?;
    Ok(Event::Published {
        experiment: id.clone(),
        branch: head,
        tree: landed.tree,
    })
}

/// The folder of a pull request.
pub(super) fn pull_folder(out: &Path, id: &ExperimentId) -> PathBuf {
    out.join("pulls").join(id.as_str())
}

/// `sprag / regression` becomes `check-regression.json`.
fn check_file(name: &str) -> String {
    format!("check-{}.json", name.rsplit(' ').next().unwrap_or(name))
}

/// One sticky comment an issue, as it would stand now.
pub(super) fn write_comments(request: &Request<'_>, state: &State) -> Result<(), FlowError> {
    if state.findings.is_empty() {
        return Ok(());
    }
    let folder = request.out.join("comments");
    fs::create_dir_all(&folder)?;
    for finding in &state.findings {
        let view = match &finding.record {
            None => CommentView::NeedsTrace {
                found: finding.instead.clone(),
            },
            Some(record) => {
                let clusters = state.clusters.clusters.values();
                let clusters: Vec<_> = clusters
                    .filter(|cluster| cluster.members.contains_key(&record.id))
                    .cloned()
                    .collect();
                let fixed = clusters.iter().find_map(|cluster| {
                    let (pull, proof) = accepted_for(state, cluster)?;
                    Some((cluster.clone(), pull, proof))
                });
                match fixed {
                    Some((cluster, pull, proof))
                        if clusters.iter().all(|cluster| cluster.members[&record.id].resolved) =>
                    {
                        CommentView::Fixed {
                            record: record.clone(),
                            cluster,
                            pull,
                            merged: request.merge,
                            proof: proof.map(Box::new),
                            left: false,
                        }
                    }
                    _ => CommentView::Mined {
                        record: record.clone(),
                        clusters,
                    },
                }
            }
        };
        fs::write(
            folder.join(format!("issue-{}.md", finding.issue)),
            issue_comment(&view).as_str(),
        )?;
    }
    Ok(())
}

/// The number that the pull request of a cluster's accepted change has here, that of its experiment, and what speaks for it.
fn accepted_for(state: &State, cluster: &Cluster) -> Option<(u64, Option<Proof>)> {
    let of_cluster = |experiment: &&Experiment| {
        let candidate = &experiment.candidate;
        experiment.accepted() && candidate.cluster == cluster.id && candidate.removes.is_none()
    };
    let experiment = state.experiments.iter().rev().find(of_cluster)?;
    let number = experiment.id.as_str().trim_start_matches('E').parse().ok()?;
    Some((number, state.proof(&experiment.id)))
}

pub(super) fn pull_view(
    request: &Request<'_>,
    state: &State,
    experiment: &Experiment,
    on_branch: &OnBranch,
) -> PullView {
    let cluster = state.clusters.clusters[&experiment.candidate.cluster].clone();
    let score = |card: &Option<Scorecard>| card.as_ref().and_then(Scorecard::score);
    let before = state
        .experiments
        .iter()
        .take_while(|earlier| earlier.id <= experiment.id);
    let accepted = before.filter(|earlier| earlier.accepted());
    let history = std::iter::once(score(&state.baseline)).chain(accepted.map(|earlier| score(&earlier.validation)));
    let fell = |earlier: &&Experiment| {
        earlier.candidate.cluster == cluster.id && !matches!(earlier.verdict, Some((Verdict::Accepted, _)) | None)
    };
    let mends = experiment.candidate.removes.is_none();
    let issues = state.issues_of(&cluster.id).into_iter().filter(|_| mends);
    let (issues, issues_left) = issues.partition(|issue| state.settled_by(&cluster.id, *issue));
    PullView {
        head: on_branch.head.clone(),
        base: on_branch.base.clone(),
        example: cluster
            .members
            .keys()
            .find_map(|record| state.records.get(record))
            .cloned(),
        history: history.flatten().collect(),
        attempts: state.experiments.iter().filter(fell).cloned().collect(),
        issues,
        issues_left,
        rejections: Vec::new(),
        experiment: experiment.clone(),
        gate: gate_view(request, state),
        new_cases: on_branch.new_cases.clone(),
        learnings: on_branch.learnings,
        cluster,
    }
}

/// The cases that an experiment was held against: those of the suite that did not join with it.
pub(super) fn counted(state: &State, id: &ExperimentId) -> Vec<EvalCase> {
    let new = state.new_cases(id);
    let before = |case: &&EvalCase| new.iter().all(|new| new.id != case.id);
    state.cases.suite().filter(before).cloned().collect()
}

/// The tasks of the cases that are not counted.
pub(super) fn left_out(state: &State) -> Vec<TaskId> {
    let cases = state.cases.cases.values();
    let aside = cases.filter(|case| matches!(case.state, CaseState::Quarantined | CaseState::Retired));
    aside.map(|case| case.task.clone()).collect()
}

/// The rule of the run.
pub(super) fn gate_view(request: &Request<'_>, state: &State) -> GateView {
    GateView {
        mode: state.plan.gate.mode,
        regression_threshold: state.plan.gate.regression_threshold,
        sandbox: request.sandbox,
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FlowError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
    Ok(fs::write(path, text + "\n")?)
}
