//! Reads what is new in the artifacts of the named workflows.

use super::signals::{failures, problem};
use super::{Hub, Notebook, Report};
use crate::archive::ArchiveLimits;
use crate::flow::FlowError;
use crate::forge::ErrorClass;
use crate::intake::FileReader;
use crate::progress::Progress;
use fs_err as fs;
use globset::{Glob, GlobSet, GlobSetBuilder};
use sprag_core::fact::What;
use sprag_core::failure::FailureRecord;
use sprag_core::github::{Artifact, WorkflowRun};
use sprag_core::trace::read::ReadTrace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// After so many artifacts, what was noted is kept: a kill loses no more than that.
const KEEP_EVERY: usize = 100;
/// GitHub keeps no run going for longer.
const LONGEST_RUN_DAYS: i64 = 35;
/// The stream of artifacts among the cursors.
const ARTIFACTS: &str = "artifacts";
/// About the most bytes of failures in one fact.
const PART_BYTES: usize = 200_000;

/// What an artifact holds.
pub(super) struct ArtifactContent {
    pub(super) traces: Vec<ReadTrace>,
    pub(super) problems: Vec<String>,
}

/// What an artifact holds, or half a sentence about what is wrong with it. One that cannot be opened is fetched once more: it may have been cut
/// short on the way.
pub(super) async fn read_artifact(
    hub: &Hub<'_>,
    artifact: &Artifact,
) -> Result<Result<ArtifactContent, String>, FlowError> {
    if artifact.expired {
        return Ok(Err(format!("the artifact {} has expired", artifact.name)));
    }
    let limits = ArchiveLimits::default();
    let path = hub.scratch.join("artifact.zip");
    let reading = FileReader {
        format: None,
        mapping: hub.config.signals.mapping.clone(),
    };
    let mut again = false;
    loop {
        let got = hub.forge.download_artifact(artifact.id, &path, limits.bytes_packed);
        if let Err(error) = got.await {
            return problem(error, &format!("the artifact {}", artifact.name));
        }
        let content = unpack(&reading, &path, &artifact.name);
        fs::remove_file(&path)?;
        if content.is_ok() || again {
            return Ok(content);
        }
        again = true;
    }
}

fn unpack(reading: &FileReader, path: &Path, name: &str) -> Result<ArtifactContent, String> {
    let read = reading.archive(path);
    let read = read.map_err(|error| format!("the artifact {name} cannot be read ({error})"))?;
    let mut problems = read.problems;
    problems.truncate(20);
    Ok(ArtifactContent {
        traces: read.traces,
        problems,
    })
}

/// Reads the artifacts of the named workflows that were not read yet.
pub(super) async fn artifacts(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    report: &mut Report,
    progress: &Progress,
) -> Result<(), FlowError> {
    let signals = &hub.config.signals;
    if signals.workflows.is_empty() || signals.artifacts.is_empty() {
        return Ok(());
    }
    let cursor = notebook
        .book()
        .cursors
        .get(ARTIFACTS)
        .and_then(|cursor| cursor.parse().ok());
    let listed = hub.forge.artifacts(cursor).await?;
    let Some(oldest) = listed.iter().map(|artifact| artifact.created_at.clone()).min() else {
        return Ok(());
    };
    let runs = runs(hub, &oldest).await?;
    let names = globs(&signals.artifacts);
    let mut settled = cursor.unwrap_or(0);
    let mut waiting = false;
    let wanted = listed.iter().filter(|artifact| names.is_match(&artifact.name)).count();
    progress.phase(&format!("reading {wanted} new artifacts"));
    let mut read = 0;
    for artifact in &listed {
        let run = artifact.run.and_then(|run| runs.get(&run));
        // The cursor stays before a run that is still going on: it may add to what it has uploaded.
        waiting |= run.is_some_and(|run| run.conclusion.is_none());
        if !waiting {
            settled = artifact.id;
        }
        let due = run.filter(|run| run.conclusion.is_some() && names.is_match(&artifact.name));
        let Some(run) = due.filter(|_| !notebook.book().artifacts.contains(&artifact.id)) else {
            continue;
        };
        take_artifact(hub, notebook, artifact, run, report).await?;
        read += 1;
        if read % KEEP_EVERY == 0 {
            notebook.keep()?;
        }
    }
    notebook.note(What::ReadUntil {
        stream: ARTIFACTS.to_owned(),
        cursor: format!("{settled:020}"),
    });
    Ok(notebook.keep()?)
}

/// The runs of the named workflows since the oldest artifact, by id. A run may have begun long before it uploaded.
async fn runs(hub: &Hub<'_>, oldest: &str) -> Result<BTreeMap<u64, WorkflowRun>, FlowError> {
    let from = super::days_before(oldest, LONGEST_RUN_DAYS);
    let mut runs = BTreeMap::new();
    for workflow in &hub.config.signals.workflows {
        let file = workflow.rsplit('/').next().unwrap_or(workflow);
        let of_workflow = match hub.forge.workflow_runs(file, from.as_deref()).await {
            Ok(of_workflow) => of_workflow,
            // One workflow that was renamed must not silence the others.
            Err(error) if error.class() == ErrorClass::NotFound => {
                tracing::warn!("`signals.workflows` names {workflow}, but there is no such workflow");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        runs.extend(of_workflow.into_iter().map(|run| (run.id, run)));
    }
    Ok(runs)
}

async fn take_artifact(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    artifact: &Artifact,
    run: &WorkflowRun,
    report: &mut Report,
) -> Result<(), FlowError> {
    let content = if run.from_fork {
        Err("it comes from a fork, and what a stranger's code wrote is no evidence".to_owned())
    } else {
        read_artifact(hub, artifact).await?
    };
    let redactor = hub.redactor();
    let (traces, mut problems) = match content {
        Ok(content) => (content.traces, content.problems),
        Err(problem) => (Vec::new(), vec![problem]),
    };
    let n_traces = u32::try_from(traces.len()).unwrap_or(u32::MAX);
    redactor.clean(&mut problems);
    let failures = failures(
        hub,
        &format!("artifact {}", artifact.id),
        &redactor.text(&format!("artifact {}", artifact.name)),
        traces,
        // A trace without a verdict is no failure here: an artifact holds whatever ran.
        |run| run.passed == Some(false),
        None,
    )
    .await?;
    report.artifacts += 1;
    report.failures += failures.len();
    for (part, failures) in (0..).zip(parts(failures)) {
        notebook.note(What::ArtifactRead {
            artifact: artifact.id,
            run: run.id,
            name: redactor.text(&artifact.name).into_owned(),
            part,
            ran_at: run.created_at.clone(),
            traces: n_traces,
            failures,
            problems: problems.clone(),
        });
    }
    Ok(())
}

/// Failures, so many together as one fact may hold; at least one part.
fn parts(failures: Vec<FailureRecord>) -> Vec<Vec<FailureRecord>> {
    let mut parts = vec![Vec::new()];
    let mut bytes = 0;
    for failure in failures {
        let size = serde_json::to_string(&failure).map_or(0, |text| text.len());
        if bytes > 0 && bytes + size > PART_BYTES {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        parts.last_mut().expect("there is one").push(failure);
    }
    parts
}

/// The configuration is checked: its patterns are globs.
pub(super) fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    let globs: BTreeSet<&String> = patterns.iter().collect();
    for glob in globs.into_iter().filter_map(|pattern| Glob::new(pattern).ok()) {
        set.add(glob);
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}
