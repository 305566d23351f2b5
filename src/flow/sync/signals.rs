//! Reads what is new on GitHub: labelled issues with their comments and traces, and the artifacts of the named workflows.

use super::{Hub, Notebook, Report};
use crate::archive::{self, ArchiveLimits};
use crate::flow::FlowError;
use crate::forge::{ErrorClass, ForgeError};
use crate::progress::Progress;
use fs_err as fs;
use globset::{Glob, GlobSet, GlobSetBuilder};
use sprag_core::fact::{Reading, What};
use sprag_core::failure::FailureRecord;
use sprag_core::github::{Actor, Artifact, Comment, Issue, LabelEvent, Permission, WorkflowRun};
use sprag_core::hash;
use sprag_core::id::TaskId;
use sprag_core::mine;
use sprag_core::render::markdown;
use sprag_core::signal::{self, Clue, LabelStanding, Remark};
use sprag_core::trace::read::{ReadTrace, read_any};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// With so many changed issues or fewer, each is asked for its comments and events; with more, the lists of the whole repository are cheaper.
const ONE_BY_ONE: usize = 20;
/// After so many things that were read, what was noted is kept: a kill loses no more than that.
const KEEP_EVERY: usize = 100;
/// Traces that one issue may bring.
const TRACES_PER_ISSUE: usize = 20;
/// Bytes that an attachment may have.
const ATTACHMENT_BYTES: u64 = 50_000_000;
/// GitHub keeps no run going for longer.
const LONGEST_RUN_DAYS: i64 = 35;
/// The stream of artifacts among the cursors.
const ARTIFACTS: &str = "artifacts";

/// Reads the issues that have changed since they were read last.
pub(super) async fn issues(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    report: &mut Report,
    progress: &Progress,
) -> Result<(), FlowError> {
    for label in &hub.config.signals.issue_labels {
        let stream = format!("issues {label}");
        let since = notebook.book().cursors.get(&stream).cloned();
        let mut changed = hub.forge.issues(label, since.as_deref()).await?;
        changed.retain(|issue| !issue.pull);
        let cursor = changed.iter().map(|issue| issue.updated_at.clone()).max();
        for number in asked_again(notebook, &changed) {
            changed.push(hub.forge.issue(number).await?);
        }
        if !changed.is_empty() {
            progress.phase(&format!("reading {} issues labelled {label}", changed.len()));
        }
        let around = Around::of(hub, &changed).await?;
        for (n, issue) in (1..).zip(&changed) {
            read_issue(hub, notebook, issue, label, &around, report).await?;
            if n % KEEP_EVERY == 0 {
                notebook.keep()?;
            }
        }
        // Only when all of them are noted: a kill before this reads them once more, which changes nothing.
        if let Some(cursor) = cursor {
            notebook.note(What::ReadUntil { stream, cursor });
        }
        notebook.keep()?;
    }
    Ok(())
}

/// Issues that a person wants to be read again and that are not among the changed ones.
fn asked_again(notebook: &Notebook, changed: &[Issue]) -> Vec<u64> {
    let wanted = notebook.book().issues.iter().filter(|(_, entry)| entry.retry);
    wanted
        .map(|(number, _)| *number)
        .filter(|number| changed.iter().all(|issue| issue.number != *number))
        .collect()
}

/// What stands around the issues: comments, and who put labels on.
struct Around {
    comments: BTreeMap<u64, Vec<Comment>>,
    events: BTreeMap<u64, Vec<LabelEvent>>,
}

impl Around {
    async fn of(hub: &Hub<'_>, issues: &[Issue]) -> Result<Self, FlowError> {
        let mut comments: BTreeMap<u64, Vec<Comment>> = BTreeMap::new();
        let mut events: BTreeMap<u64, Vec<LabelEvent>> = BTreeMap::new();
        if issues.len() <= ONE_BY_ONE {
            for issue in issues {
                comments.insert(issue.number, hub.forge.comments_of(issue.number).await?);
                events.insert(issue.number, hub.forge.label_events_of(issue.number).await?);
            }
        } else if let Some(oldest) = issues.iter().map(|issue| issue.created_at.as_str()).min() {
            for comment in hub.forge.comments(Some(oldest)).await? {
                comments.entry(comment.issue).or_default().push(comment);
            }
            for event in hub.forge.label_events(oldest).await? {
                events.entry(event.issue).or_default().push(event);
            }
        }
        Ok(Self { comments, events })
    }
}

async fn read_issue(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    issue: &Issue,
    label: &str,
    around: &Around,
    report: &mut Report,
) -> Result<(), FlowError> {
    let known = notebook.book().issues.get(&issue.number);
    let retry = known.is_some_and(|entry| entry.retry);
    let standing = standing(hub, issue, label, around).await?;
    let said = signal::Report {
        number: issue.number,
        title: issue.title.clone(),
        body: issue.body.clone(),
        comments: remarks(hub, issue, around).await?,
    };
    // A person with write access who wants the issue read has confirmed its label too.
    let counts = retry || matches!(standing, LabelStanding::Counts { .. });
    let digest = hash::of(&(&said, format!("{standing:?}"), counts, retry.then(|| notebook.now())));
    if known.is_some_and(|entry| entry.digest == digest) {
        return Ok(());
    }
    let reading = match standing {
        LabelStanding::NotThere if !retry => Reading::Withdrawn,
        LabelStanding::NotTrusted { by } if !retry => Reading::Unconfirmed { by: by.login },
        _ => read_report(hub, &said).await?,
    };
    report.issues += 1;
    if let Reading::Failures { records } = &reading {
        report.failures += records.len();
    }
    notebook.note(What::IssueRead {
        issue: issue.number,
        digest,
        opened_at: issue.created_at.clone(),
        reading,
    });
    Ok(())
}

async fn standing(hub: &Hub<'_>, issue: &Issue, label: &str, around: &Around) -> Result<LabelStanding, FlowError> {
    if !issue.labels.iter().any(|name| name == label) {
        return Ok(LabelStanding::NotThere);
    }
    let events = around.events.get(&issue.number).map_or(&[][..], Vec::as_slice);
    let mut permissions = BTreeMap::new();
    for event in events.iter().filter(|event| event.label == label) {
        if let Entry::Vacant(unknown) = permissions.entry(event.actor.id) {
            unknown.insert(hub.forge.permission(&event.actor.login).await?);
        }
    }
    let permission = |actor: &Actor| permissions.get(&actor.id).copied().unwrap_or(Permission::None);
    Ok(signal::labelled_by_trusted(events, label, permission))
}

/// What people wrote below the issue; sprag's own words and those of other machines are left out.
async fn remarks(hub: &Hub<'_>, issue: &Issue, around: &Around) -> Result<Vec<Remark>, FlowError> {
    let mut remarks = Vec::new();
    for comment in around.comments.get(&issue.number).into_iter().flatten() {
        if comment.author.bot || markdown::is_ours(&comment.body) {
            continue;
        }
        let trusted = comment.author.id == issue.author.id
            || hub.forge.permission(&comment.author.login).await? >= Permission::Triage;
        remarks.push(Remark {
            author_login: comment.author.login.clone(),
            author_trusted: trusted,
            body: comment.body.clone(),
        });
    }
    Ok(remarks)
}

async fn read_report(hub: &Hub<'_>, said: &signal::Report) -> Result<Reading, FlowError> {
    let mut traces: Vec<ReadTrace> = Vec::new();
    let mut instead: Option<String> = None;
    let mut told: Option<FailureRecord> = None;
    for clue in signal::clues(said, &hub.tasks, Some(&hub.place)) {
        if traces.len() >= TRACES_PER_ISSUE {
            break;
        }
        let name = format!("issue {}", said.number);
        match clue {
            Clue::Trace(trace) => traces.push(*trace),
            Clue::Attachment { url, name } => match attachment(hub, &url, &name).await? {
                Ok(found) => traces.extend(found),
                Err(problem) => instead = Some(problem),
            },
            Clue::WorkflowRun { id } => match run_artifacts(hub, id, None).await? {
                Ok(found) => traces.extend(found),
                Err(problem) => instead = Some(problem),
            },
            Clue::Artifact { run, id } => match run_artifacts(hub, run, Some(id)).await? {
                Ok(found) => traces.extend(found),
                Err(problem) => instead = Some(problem),
            },
            Clue::Task(_) if traces.is_empty() => return Ok(Reading::Task { report: said.clone() }),
            Clue::Told(story) => told = Some(signal::record_of_told(&name, said.number, &story)),
            Clue::Task(_) => {}
            Clue::Unreadable(problem) => instead = Some(problem),
        }
    }
    traces.truncate(TRACES_PER_ISSUE);
    let n_traces = traces.len();
    let records = failures(
        &format!("issue {}", said.number),
        &format!("issue #{}", said.number),
        traces,
    );
    Ok(match (records.is_empty(), told) {
        (false, _) => Reading::Failures { records },
        (true, Some(record)) if n_traces == 0 => Reading::Failures { records: vec![record] },
        (true, _) if n_traces > 0 => Reading::NoTrace {
            instead: Some(format!("{n_traces} traces of runs that passed")),
        },
        (true, _) => Reading::NoTrace { instead },
    })
}

/// Failure records of the traces of failed runs. A record is named by the place and the content: reading it again is the same record.
fn failures(place: &str, unnamed: &str, traces: Vec<ReadTrace>) -> Vec<FailureRecord> {
    let mut records: Vec<FailureRecord> = Vec::new();
    for read in traces.into_iter().filter(|read| read.passed != Some(true)) {
        let source = format!("{place} {}", hash::of(&read.trace));
        let task = if read.task.as_str().is_empty() {
            TaskId::new(unnamed)
        } else {
            read.task.clone()
        };
        let mined = mine::mine(&source, &task, &read.trace);
        let kind = read.kind_hint.unwrap_or(mined.kind);
        let record = FailureRecord { kind, ..mined };
        if records.iter().all(|known| known.id != record.id) {
            records.push(record);
        }
    }
    records
}

/// The traces of an attachment, or half a sentence about what is wrong with it.
async fn attachment(hub: &Hub<'_>, url: &str, name: &str) -> Result<Result<Vec<ReadTrace>, String>, FlowError> {
    let path = hub.scratch.join("attachment");
    if let Err(error) = hub.forge.download(url, &path, ATTACHMENT_BYTES).await {
        return problem(error, &format!("the attachment {name}"));
    }
    let bytes = fs::read(&path)?;
    fs::remove_file(&path)?;
    let (traces, warnings) = read_any(name, &bytes);
    Ok(match (traces.is_empty(), warnings.first()) {
        (true, Some(warning)) => Err(format!("the attachment {name} cannot be read as a trace ({warning})")),
        (true, None) => Err(format!("the attachment {name} has no trace in it")),
        (false, _) => Ok(traces),
    })
}

/// The traces in the artifacts of a workflow run that an issue links.
async fn run_artifacts(
    hub: &Hub<'_>,
    run: u64,
    only: Option<u64>,
) -> Result<Result<Vec<ReadTrace>, String>, FlowError> {
    let artifacts = match hub.forge.artifacts_of(run).await {
        Ok(artifacts) => artifacts,
        Err(error) => return problem(error, &format!("workflow run {run}")),
    };
    let names = globs(&hub.config.signals.artifacts);
    let wanted = |artifact: &&Artifact| only.map_or(names.is_match(&artifact.name), |id| artifact.id == id);
    let mut traces = Vec::new();
    let mut told = Err(format!("workflow run {run} has no artifact with traces"));
    for artifact in artifacts.iter().filter(wanted) {
        match read_artifact(hub, artifact).await? {
            Ok(read) => {
                traces.extend(read.traces);
                told = Err(format!("the artifact {} has no trace in it", artifact.name));
            }
            Err(problem) => told = Err(problem),
        }
    }
    Ok(if traces.is_empty() { told } else { Ok(traces) })
}

/// What an artifact holds.
struct ArtifactContent {
    traces: Vec<ReadTrace>,
    problems: Vec<String>,
}

async fn read_artifact(hub: &Hub<'_>, artifact: &Artifact) -> Result<Result<ArtifactContent, String>, FlowError> {
    if artifact.expired {
        return Ok(Err(format!("the artifact {} has expired", artifact.name)));
    }
    let limits = ArchiveLimits::default();
    let path = hub.scratch.join("artifact.zip");
    if let Err(error) = hub
        .forge
        .download_artifact(artifact.id, &path, limits.bytes_packed)
        .await
    {
        return problem(error, &format!("the artifact {}", artifact.name));
    }
    let content = unpack(&path, &artifact.name, &limits);
    fs::remove_file(&path)?;
    Ok(content)
}

fn unpack(path: &Path, name: &str, limits: &ArchiveLimits) -> Result<ArtifactContent, String> {
    let mut content = ArtifactContent {
        traces: Vec::new(),
        problems: Vec::new(),
    };
    let listed = archive::read(path, limits, |entry, bytes| {
        let (traces, warnings) = read_any(entry, bytes);
        content.traces.extend(traces);
        content
            .problems
            .extend(warnings.iter().take(3).map(ToString::to_string));
    });
    match listed {
        Ok(listing) => content
            .problems
            .extend(listing.problems.iter().map(ToString::to_string)),
        Err(error) => return Err(format!("the artifact {name} cannot be read ({error})")),
    }
    content.problems.truncate(20);
    Ok(content)
}

/// What is gone, forbidden or too large is said where it was looked for; what may pass stops the job, which will come again.
fn problem<T>(error: ForgeError, what: &str) -> Result<Result<T, String>, FlowError> {
    match error.class() {
        ErrorClass::NotFound => Ok(Err(format!("{what} does not exist, or may not be read"))),
        ErrorClass::Gone => Ok(Err(format!("{what} has expired"))),
        ErrorClass::Forbidden | ErrorClass::Invalid => Ok(Err(format!("{what} cannot be read ({error})"))),
        _ => Err(error.into()),
    }
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
        let of_workflow = hub.forge.workflow_runs(file, from.as_deref()).await?;
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
    let (traces, problems) = match content {
        Ok(content) => (content.traces, content.problems),
        Err(problem) => (Vec::new(), vec![problem]),
    };
    let n_traces = u32::try_from(traces.len()).unwrap_or(u32::MAX);
    // A trace without a verdict is no failure here: an artifact holds whatever ran.
    let failed: Vec<ReadTrace> = traces.into_iter().filter(|read| read.passed == Some(false)).collect();
    let failures = failures(
        &format!("artifact {}", artifact.id),
        &format!("artifact {}", artifact.name),
        failed,
    );
    report.artifacts += 1;
    report.failures += failures.len();
    notebook.note(What::ArtifactRead {
        artifact: artifact.id,
        run: run.id,
        name: artifact.name.clone(),
        made_at: artifact.created_at.clone(),
        traces: n_traces,
        failures,
        problems,
    });
    Ok(())
}

/// The configuration is checked: its patterns are globs.
fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    let globs: BTreeSet<&String> = patterns.iter().collect();
    for glob in globs.into_iter().filter_map(|pattern| Glob::new(pattern).ok()) {
        set.add(glob);
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}
