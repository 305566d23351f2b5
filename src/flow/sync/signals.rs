//! Reads what is new in labelled issues: their text, their comments, and the traces that these lead to.

use super::artifacts::{globs, read_artifact};
use super::{Hub, Notebook, Report};
use crate::flow::FlowError;
use crate::flow::advise;
use crate::forge::{ErrorClass, ForgeError};
use crate::intake::{FileReader, IntakeError};
use crate::progress::Progress;
use fs_err as fs;
use sprag_core::case::drafted;
use sprag_core::fact::{Reading, What};
use sprag_core::failure::FailureRecord;
use sprag_core::github::{Actor, Artifact, Comment, Issue, LabelEvent, Permission};
use sprag_core::hash;
use sprag_core::id::{RecordId, TaskId};
use sprag_core::mine::Run;
use sprag_core::mine::text::counted;
use sprag_core::render::markdown;
use sprag_core::signal::{self, Clue, LabelStanding, Remark};
use sprag_core::trace::read::ReadTrace;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// With so many changed issues or fewer, each is asked for its comments and events; with more, the lists of the whole repository are cheaper.
const ONE_BY_ONE: usize = 20;
/// After so many things that were read, what was noted is kept: a kill loses no more than that.
const KEEP_EVERY: usize = 100;
/// Traces that one issue may bring.
const TRACES_PER_ISSUE: usize = 20;
/// The stream of labels put on and taken off among the cursors.
const EVENTS: &str = "events";
/// Bytes of comments that are kept of an issue whose task is still to be run.
const REPORT_BYTES: usize = 200_000;
/// Bytes that an attachment may have.
const ATTACHMENT_BYTES: u64 = 50_000_000;

/// The labels of issues that this job has just read.
pub(super) type Seen = BTreeMap<u64, Vec<String>>;

/// Reads the issues that have changed since they were read last.
pub(super) async fn issues(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    report: &mut Report,
    progress: &Progress,
) -> Result<Seen, FlowError> {
    let mut seen = Seen::new();
    let began = notebook.now();
    for label in &hub.config.signals.issue_labels {
        let stream = format!("issues {label}");
        let since = notebook.book().cursors.get(&stream).cloned();
        let mut changed = hub.forge.issues(label, since.as_deref()).await?;
        changed.retain(|issue| !issue.pull);
        if !changed.is_empty() {
            progress.phase(&format!("reading {} issues labelled {label}", changed.len()));
        }
        read_all(hub, notebook, &changed, label, report).await?;
        // Only when all of them are noted: a kill before this reads them once more, which changes nothing.
        if let Some(cursor) = changed.iter().map(|issue| issue.updated_at.clone()).max() {
            notebook.note(What::ReadUntil { stream, cursor });
        }
        notebook.keep()?;
        seen.extend(changed.into_iter().map(|issue| (issue.number, issue.labels)));
    }
    again(hub, notebook, &began, report).await?;
    Ok(seen)
}

/// Reads issues again that no list of labelled issues leads to: a person asked for it, or the label was taken off.
///
/// What was taken off since this job `began` to read is seen by the next.
async fn again(hub: &Hub<'_>, notebook: &mut Notebook, began: &str, report: &mut Report) -> Result<(), FlowError> {
    let labels = &hub.config.signals.issue_labels;
    let ours = |label: &str| labels.iter().find(|ours| signal::same_label(ours, label));
    let (since, events) = match notebook.book().cursors.get(EVENTS).cloned() {
        Some(since) => {
            let events = hub.forge.label_events(&since).await?;
            (since, events)
        }
        // All issues were read just now for the first time: what was taken off before is not on them.
        None => (began.to_owned(), Vec::new()),
    };
    let mut again = notebook.book().retry.clone();
    let taken_off = events
        .iter()
        .filter(|event| !event.added && ours(&event.label).is_some());
    again.extend(taken_off.map(|event| event.issue).filter(|number| {
        let known = notebook.book().issues.get(number);
        known.is_some_and(|entry| entry.reading != Reading::Withdrawn)
    }));
    for number in again {
        match hub.forge.issue(number).await {
            Ok(issue) if !issue.pull => {
                let has = issue.labels.iter().find_map(|label| ours(label));
                if let Some(label) = has.or(labels.first()) {
                    read_all(hub, notebook, &[issue], label, report).await?;
                }
            }
            Ok(_) => gone(notebook, number),
            Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::Gone) => gone(notebook, number),
            Err(error) => return Err(error.into()),
        }
    }
    let cursor = events.iter().map(|event| event.at.clone()).max().unwrap_or(since);
    notebook.note(What::ReadUntil {
        stream: EVENTS.to_owned(),
        cursor,
    });
    Ok(notebook.keep()?)
}

async fn read_all(
    hub: &Hub<'_>,
    notebook: &mut Notebook,
    issues: &[Issue],
    label: &str,
    report: &mut Report,
) -> Result<(), FlowError> {
    let around = Around::of(hub, issues, label).await?;
    for (n, issue) in (1..).zip(issues) {
        read_issue(hub, notebook, issue, label, &around, report).await?;
        if n % KEEP_EVERY == 0 {
            notebook.keep()?;
        }
    }
    Ok(())
}

/// Notes that an issue was deleted, was moved to another repository, or is none.
fn gone(notebook: &mut Notebook, issue: u64) {
    let now = notebook.now();
    notebook.note(What::IssueRead {
        issue,
        digest: "gone".to_owned(),
        as_of: now.clone(),
        opened_at: now,
        told_at: BTreeMap::new(),
        reading: Reading::Withdrawn,
    });
}

/// What stands around the issues: comments, and who put labels on.
struct Around {
    comments: BTreeMap<u64, Vec<Comment>>,
    events: BTreeMap<u64, Vec<LabelEvent>>,
}

impl Around {
    async fn of(hub: &Hub<'_>, issues: &[Issue], label: &str) -> Result<Self, FlowError> {
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
            // Somebody put the label on: where nobody is known to have, GitHub's list did not reach back far enough.
            for issue in issues {
                let known = events.entry(issue.number).or_default();
                if !known.iter().any(|event| signal::same_label(&event.label, label)) {
                    *known = hub.forge.label_events_of(issue.number).await?;
                }
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
    let retry = notebook.book().retry.contains(&issue.number);
    // A person with write access who wants the issue read has confirmed its label too.
    let confirmed = notebook.book().confirmed.contains(&issue.number);
    let standing = standing(hub, issue, label, around).await?;
    let said = signal::Report {
        number: issue.number,
        title: issue.title.clone(),
        body: issue.body.clone(),
        comments: remarks(hub, issue, around).await?,
        impact: hub.config.signals.severity.of(issue.labels.iter().map(String::as_str)),
    };
    // What is kept is the issue without its secrets; what leads to traces is the issue as it stands.
    let mut shown = said.clone();
    hub.redactor().clean(&mut shown);
    let digest = hash::of(&(
        &shown,
        format!("{standing:?}"),
        confirmed,
        retry.then(|| notebook.now()),
    ));
    if known.is_some_and(|entry| entry.digest == digest) {
        return Ok(());
    }
    let (reading, told_at) = match standing {
        LabelStanding::NotThere if !retry => (Reading::Withdrawn, BTreeMap::new()),
        LabelStanding::NotTrusted { by } if !confirmed => (Reading::Unconfirmed { by: by.login }, BTreeMap::new()),
        _ => read_report(hub, &said, shown).await?,
    };
    report.issues += 1;
    if let Reading::Failures { records } = &reading {
        report.failures += records.len();
    }
    notebook.note(What::IssueRead {
        issue: issue.number,
        digest,
        as_of: issue.updated_at.clone(),
        opened_at: issue.created_at.clone(),
        told_at,
        reading,
    });
    Ok(())
}

async fn standing(hub: &Hub<'_>, issue: &Issue, label: &str, around: &Around) -> Result<LabelStanding, FlowError> {
    if !issue.labels.iter().any(|name| signal::same_label(name, label)) {
        return Ok(LabelStanding::NotThere);
    }
    let events = around.events.get(&issue.number).map_or(&[][..], Vec::as_slice);
    let mut permissions = BTreeMap::new();
    for event in events.iter().filter(|event| signal::same_label(&event.label, label)) {
        if let Entry::Vacant(unknown) = permissions.entry(event.actor.id) {
            unknown.insert(hub.forge.permission_of(&event.actor).await?);
        }
    }
    let permission = |actor: &Actor| permissions.get(&actor.id).copied().unwrap_or(Permission::None);
    Ok(signal::labelled_by_trusted(events, label, permission))
}

/// What people wrote below the issue; sprag's own words and those of other machines are left out.
async fn remarks(hub: &Hub<'_>, issue: &Issue, around: &Around) -> Result<Vec<Remark>, FlowError> {
    let mut remarks = Vec::new();
    let mut comments: Vec<&Comment> = around.comments.get(&issue.number).into_iter().flatten().collect();
    // One list comes by time, another by update; what is said is the same.
    comments.sort_unstable_by_key(|comment| comment.id);
    for comment in comments {
        if comment.author.bot || markdown::is_ours(&comment.body) {
            continue;
        }
        let trusted = comment.author.id == issue.author.id
            || hub.forge.permission_of(&comment.author).await? >= Permission::Triage;
        remarks.push(Remark {
            author_login: comment.author.login.clone(),
            author_trusted: trusted,
            at: comment.created_at.clone(),
            body: comment.body.clone(),
        });
    }
    Ok(remarks)
}

/// What a report comes to, and when its failures were told of, where that was in a comment.
async fn read_report(
    hub: &Hub<'_>,
    said: &signal::Report,
    shown: signal::Report,
) -> Result<(Reading, BTreeMap<RecordId, String>), FlowError> {
    let place = format!("issue {}", said.number);
    let unnamed = format!("issue #{}", said.number);
    let mut n_traces = 0;
    let mut records: Vec<FailureRecord> = Vec::new();
    let mut told_at = BTreeMap::new();
    let mut instead: Option<String> = None;
    let mut told: Option<FailureRecord> = None;
    let mut named = false;
    let redactor = hub.redactor();
    let should = signal::told(&said.body).map(|told| redactor.text(&told.should).into_owned());
    for mut lead in signal::leads(said, &hub.tasks, Some(&hub.place)) {
        redactor.clean(&mut lead.clue);
        if n_traces >= TRACES_PER_ISSUE {
            break;
        }
        let found = match lead.clue {
            Clue::Trace(trace) => Ok(vec![*trace]),
            Clue::Attachment { url, name } => attachment(hub, &url, &name).await?,
            Clue::WorkflowRun { id } => run_artifacts(hub, id, None).await?,
            Clue::Artifact { run, id } => run_artifacts(hub, run, Some(id)).await?,
            Clue::Told(story) => {
                told = Some(signal::record_of_told(&place, said.number, &story));
                continue;
            }
            Clue::Task(_) => {
                named = true;
                continue;
            }
            Clue::Unreadable(problem) => Err(problem),
        };
        match found {
            Ok(mut traces) => {
                traces.truncate(TRACES_PER_ISSUE - n_traces);
                n_traces += traces.len();
                let counts = |run: &Run<'_>| run.passed != Some(true);
                let new = failures(hub, &place, &unnamed, traces, counts, should.as_deref()).await?;
                for record in new {
                    if records.iter().all(|known| known.id != record.id) {
                        told_at.extend(lead.told_at.map(|at| (record.id.clone(), at.to_owned())));
                        records.push(record);
                    }
                }
            }
            Err(problem) => instead = Some(redactor.text(&problem).into_owned()),
        }
    }
    for record in records.iter_mut().chain(&mut told) {
        record.impact = record.impact.max(said.severity());
    }
    let reading = match told {
        _ if !records.is_empty() => Reading::Failures { records },
        _ if n_traces > 0 => Reading::NoTrace {
            instead: Some(format!("{} of runs that passed", counted(n_traces, "trace"))),
        },
        _ if named => Reading::Task { report: bounded(shown) },
        Some(record) => Reading::Failures { records: vec![record] },
        None => Reading::NoTrace { instead },
    };
    Ok((reading, told_at))
}

/// Without the last comments, if they are so long that no fact could hold them.
fn bounded(mut report: signal::Report) -> signal::Report {
    let mut bytes = 0;
    report.comments.retain(|remark| {
        bytes += remark.body.len();
        bytes <= REPORT_BYTES
    });
    report
}

/// Failure records of the traces of failed runs, mined beside those that passed. A record is named by the place and the content: reading it again
/// is the same record. `counts` says which runs failed.
/// `should` is what a person wrote that should have been done.
pub(super) async fn failures(
    hub: &Hub<'_>,
    place: &str,
    unnamed: &str,
    mut traces: Vec<ReadTrace>,
    counts: impl Fn(&Run<'_>) -> bool,
    should: Option<&str>,
) -> Result<Vec<FailureRecord>, FlowError> {
    let redactor = hub.redactor();
    traces.iter_mut().for_each(|read| redactor.clean(read));
    let mut seen = BTreeSet::new();
    let named = traces.iter().map(|read| format!("{place} {}", hash::of(&read.trace)));
    let sources: Vec<String> = named.collect();
    let unnamed = TaskId::new(unnamed);
    let runs: Vec<Run<'_>> = traces
        .iter()
        .zip(&sources)
        .filter(|(_, source)| seen.insert(*source))
        .map(|(read, source)| Run {
            source,
            task: if read.task.as_str().is_empty() {
                &unnamed
            } else {
                &read.task
            },
            trace: &read.trace,
            passed: read.passed,
            blamed: read.kind_hint,
        })
        .collect();
    let records = advise::together(hub.advisor, &runs, &counts).await?;
    let traces = runs.iter().filter(|run| counts(run)).map(|run| run.trace);
    let found = records.into_iter().zip(traces);
    Ok(found
        .map(|(record, trace)| drafted(place, record, trace, should))
        .collect())
}

/// The traces of an attachment, or half a sentence about what is wrong with it. What cannot be read wholly is fetched once more: it may have
/// been cut short on the way.
async fn attachment(hub: &Hub<'_>, url: &str, name: &str) -> Result<Result<Vec<ReadTrace>, String>, FlowError> {
    let path = hub.scratch.join("attachment");
    let reading = FileReader {
        format: None,
        mapping: hub.config.signals.mapping.clone(),
    };
    let mut again = false;
    let read = loop {
        if let Err(error) = hub.forge.download(url, &path, ATTACHMENT_BYTES).await {
            return problem(error, &format!("the attachment {name}"));
        }
        let read = reading.path(&path, name);
        fs::remove_file(&path)?;
        let whole = matches!(&read, Ok(read) if !read.traces.is_empty() && read.problems.is_empty());
        if whole || again {
            break read;
        }
        again = true;
    };
    let read = match read {
        Ok(read) => read,
        Err(IntakeError::Io(error)) => return Err(error.into()),
        Err(IntakeError::Archive(error)) => return Ok(Err(format!("the attachment {name} cannot be read ({error})"))),
    };
    Ok(match (read.traces.is_empty(), read.problems.first()) {
        (true, Some(problem)) => Err(format!("the attachment {name} cannot be read as a trace ({problem})")),
        (true, None) => Err(format!("the attachment {name} has no trace in it")),
        (false, _) => Ok(read.traces),
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

/// What is gone, forbidden or too large is said where it was looked for; what may pass stops the job, which will come again.
pub(super) fn problem<T>(error: ForgeError, what: &str) -> Result<Result<T, String>, FlowError> {
    match error.class() {
        ErrorClass::NotFound => Ok(Err(format!("{what} does not exist, or may not be read"))),
        ErrorClass::Gone => Ok(Err(format!("{what} has expired"))),
        ErrorClass::Forbidden | ErrorClass::Invalid | ErrorClass::TooLarge => {
            Ok(Err(format!("{what} cannot be read ({error})")))
        }
        _ => Err(error.into()),
    }
}
