//! What the terminal shows of failures, clusters and cases: lists, and one of each in full.
//!
//! Text that comes from outside is stripped of what a terminal would obey.

use super::suite;
use super::text::short;
use super::words;
use crate::case::{EvalCase, Refusal};
use crate::cluster::{Change, Cluster, Explanation, Rank, Revision, Trend};
use crate::curation::{Choice, Curation, Subject};
use crate::failure::{FailureRecord, RootCause};
use crate::id::{CaseId, ClusterId, RecordId};
use crate::overview::{Origin, Overview};
use crate::trace::{Role, Step, Trace};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Characters of an id of a failure: enough to name it.
const ID: usize = 12;
/// Members of a cluster that are listed.
const MEMBERS: usize = 20;
/// Steps around a piece of evidence that are shown.
const AROUND: usize = 1;
/// Characters of a step.
const STEP: usize = 160;

/// A table: column names, then rows. All columns but the last are padded.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(head.to_vec());
    rows.iter()
        .for_each(|row| text += &line(row.iter().map(String::as_str).collect()));
    text
}

fn id(record: &RecordId) -> String {
    record.as_str().chars().take(ID).collect()
}

/// Failures, one a line: the newest of a run come last, as they were found.
pub fn failures(records: &[&FailureRecord], overview: &Overview) -> String {
    if records.is_empty() {
        return "no failures\n".to_owned();
    }
    let row = |record: &&FailureRecord| {
        let surest = record.causes.first();
        let cluster = surest.and_then(|cause| overview.cluster_of(&record.id, cause));
        let step = record
            .decisive_step()
            .map_or_else(|| "-".to_owned(), |step| step.to_string());
        let what = surest.map_or(&record.behaviour, |cause| &cause.finding);
        vec![
            id(&record.id),
            record.kind.to_string(),
            short(record.task.as_str(), 28),
            step,
            cluster.map_or_else(|| "-".to_owned(), |cluster| short(cluster.as_str(), 24)),
            short(what, 100),
        ]
    };
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    table(
        &["failure", "kind", "task", "step", "cluster", "what went wrong"],
        &rows,
    )
}

/// One cluster: what it is, why it has its rank, what it says of itself, its members and its history.
pub fn cluster(cluster: &Cluster, rank: Option<&Rank>, why: Option<&Explanation>, overview: &Overview) -> String {
    let mut text = format!("{}  {}\n", short(cluster.id.as_str(), 24), short(&cluster.title, 200));
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    fact("state", words::cluster_state(cluster.state));
    fact(
        "failures",
        &format!("{}, {} resolved", cluster.total_failures(), cluster.resolved()),
    );
    if let Some(rank) = rank {
        fact("rank", &rank.to_string());
    }
    match overview.curations.of(&Subject::Cluster(cluster.id.clone())) {
        Some(decided) => fact("review", &curation(decided)),
        None if overview.standing(&cluster.id).waits().is_some() => fact("review", "waits for a person"),
        None => {}
    }
    fact("mechanism", &short(&cluster.mechanism.to_string(), 200));
    for mechanism in &cluster.also {
        fact("and", &short(&mechanism.to_string(), 200));
    }
    if let Some(why) = why {
        let listed = |words: &[String]| words.iter().map(|word| short(word, 30)).collect::<Vec<_>>().join(", ");
        if !why.shared.is_empty() {
            fact("shared", &listed(&why.shared));
        }
        if let Some(neighbour) = &why.neighbour {
            fact("nearest", &short(neighbour.as_str(), 24));
            if !why.unlike_neighbour.is_empty() {
                fact("unlike it", &listed(&why.unlike_neighbour));
            }
        }
        let batches: Vec<String> = why.batches.iter().map(|(batch, n)| format!("{batch}: {n}")).collect();
        fact(
            "trend",
            &format!("{} (failures by batch: {})", trend(why.trend), batches.join(", ")),
        );
    }
    text += &exemplars(cluster, why, overview);
    text += &members(cluster, overview);
    text += &history(&cluster.id, overview.clusters.revisions());
    text
}

/// What was decided, by whom, and why.
fn curation(decided: &Curation) -> String {
    let choice = match &decided.choice {
        Choice::Accept => "accepted".to_owned(),
        Choice::Reject => "rejected".to_owned(),
        Choice::Merge(into) => format!("part of {}", short(&into.to_string(), 24)),
        Choice::NeedsPerson => "needs a person".to_owned(),
    };
    let reason = match decided.reason.as_str() {
        "" => String::new(),
        reason => format!(": {}", short(reason, 200)),
    };
    format!("{choice}, by {}{reason}", decided.by)
}

fn trend(trend: Trend) -> &'static str {
    match trend {
        Trend::New => "new",
        Trend::Rising => "rising",
        Trend::Steady => "steady",
        Trend::Falling => "falling",
    }
}

fn exemplars(cluster: &Cluster, why: Option<&Explanation>, overview: &Overview) -> String {
    let exemplars = why.map_or(&[][..], |why| &why.exemplars);
    let mut text = String::new();
    for record in exemplars.iter().filter_map(|id| overview.records.get(id)) {
        let cause = record.causes.iter().find(|cause| cluster.shows(&cause.mechanism));
        let Some(cause) = cause.or(record.causes.first()) else {
            continue;
        };
        let _ = writeln!(text, "\n  {}  {}", id(&record.id), short(&cause.finding, 300));
        for evidence in cause.evidence.iter().take(2) {
            let place = evidence
                .step
                .map_or_else(|| "outcome".to_owned(), |step| format!("step {step}"));
            let _ = writeln!(text, "    {place}: {}", short(&evidence.quote, STEP));
        }
        let _ = writeln!(text, "    should: {}", short(&cause.should, 300));
    }
    if text.is_empty() {
        text
    } else {
        format!("\nmost like all others{text}")
    }
}

fn members(cluster: &Cluster, overview: &Overview) -> String {
    let rows: Vec<Vec<String>> = cluster
        .members
        .iter()
        .take(MEMBERS)
        .map(|(record, member)| {
            vec![
                id(record),
                short(member.task.as_str(), 40),
                member.batch.to_string(),
                if member.resolved { "resolved" } else { "open" }.to_owned(),
                overview
                    .origins
                    .get(record)
                    .map_or_else(|| "-".to_owned(), |origin| short(&origin.to_string(), 60)),
            ]
        })
        .collect();
    let mut text = format!("\n{}", table(&["failure", "task", "batch", "state", "from"], &rows));
    if cluster.members.len() > MEMBERS {
        let _ = writeln!(text, "… and {} more", cluster.members.len() - MEMBERS);
    }
    text
}

/// What was changed about a cluster, in order.
fn history(cluster: &ClusterId, revisions: &[Revision]) -> String {
    let mut text = String::new();
    for revision in revisions
        .iter()
        .filter(|revision| revision.change.clusters().contains(&cluster))
    {
        let what = match &revision.change {
            Change::Merge { into, from } => format!("{from} became part of {into}"),
            Change::Split { cluster, records } => {
                format!("{} left {cluster}", words::count(records.len(), "failure"))
            }
            Change::Rename { title, .. } => format!("named \"{}\"", short(title, 100)),
        };
        let reason = match revision.reason.as_str() {
            "" => String::new(),
            reason => format!(": {}", short(reason, 200)),
        };
        let _ = writeln!(text, "  {what}, by {}{reason}", revision.by);
    }
    if text.is_empty() {
        text
    } else {
        format!("\nhistory\n{text}")
    }
}

/// Cases, one a line, and then what did not become one.
pub fn cases(cases: &[&EvalCase], refused: &[Refusal], since: &BTreeMap<CaseId, String>) -> String {
    if cases.is_empty() && refused.is_empty() {
        return "no cases yet: nothing failed that the runner can run again\n".to_owned();
    }
    let row = |case: &&EvalCase| {
        let flake = case.flake;
        let day = since.get(&case.id).and_then(|at| at.get(..10));
        let day = day.map_or_else(String::new, |day| format!("since {day}: "));
        let note = case
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(" ({day}{})", short(note, 100)));
        vec![
            short(case.id.as_str(), 24),
            words::case_state(case.state).to_owned(),
            short(case.task.as_str(), 28),
            format!("{}/{}", flake.fails_before, flake.runs_before),
            match flake.runs_after {
                0 => "-".to_owned(),
                _ => suite::rate(flake),
            },
            format!("{}{note}", short(&case.title, 100)),
        ]
    };
    let mut rows: Vec<Vec<String>> = cases.iter().map(row).collect();
    let none = || "-".to_owned();
    rows.extend(refused.iter().map(|refusal| {
        let id = short(refusal.case.as_str(), 24);
        vec![
            id,
            "refused".to_owned(),
            none(),
            none(),
            none(),
            short(&refusal.reason, 120),
        ]
    }));
    table(
        &[
            "case",
            "state",
            "task",
            "failed before",
            "passed since",
            "what it guards",
        ],
        &rows,
    )
}

/// One failure with its evidence in context. Without the trace, which is not kept everywhere, the quotes stand alone.
pub fn failure(
    record: &FailureRecord,
    trace: Option<&Trace>,
    origin: Option<&Origin>,
    cluster_of: impl Fn(&RootCause) -> Option<ClusterId>,
) -> String {
    let mut text = format!("failure {}\n", id(&record.id));
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<7} {value}");
    };
    fact("kind", &record.kind.to_string());
    fact("task", &short(record.task.as_str(), 200));
    if let Some(origin) = origin {
        fact("from", &short(&origin.to_string(), 200));
    }
    if !record.context.is_empty() {
        fact("asked", &short(&record.context, 300));
    }
    fact("did", &short(&record.behaviour, 300));
    if record.causes.is_empty() {
        text += "\nno cause was found\n";
    }
    for (number, cause) in (1..).zip(&record.causes) {
        let cluster = cluster_of(cause).map_or_else(String::new, |id| format!(", cluster {id}"));
        let _ = write!(
            text,
            "\n{number}. {}\n   {}, confidence {:.2}{cluster}\n   should: {}\n",
            short(&cause.finding, 500),
            short(&cause.mechanism.to_string(), 200),
            cause.confidence,
            short(&cause.should, 500),
        );
        text += &evidence(cause, trace);
    }
    text
}

/// The steps of the evidence, marked, with those around them; quotes where there is no trace, and those that stand in no step.
fn evidence(cause: &RootCause, trace: Option<&Trace>) -> String {
    let mut text = String::new();
    let known = |step: usize| trace.and_then(|trace| trace.steps.get(step));
    let marked: BTreeSet<usize> = cause
        .evidence
        .iter()
        .filter_map(|evidence| evidence.step.filter(|step| known(*step).is_some()))
        .collect();
    for evidence in &cause.evidence {
        match evidence.step {
            Some(step) if marked.contains(&step) => {}
            Some(step) => {
                let _ = writeln!(text, "   step {step}: {}", short(&evidence.quote, STEP));
            }
            None => {
                let _ = writeln!(text, "   outcome: {}", short(&evidence.quote, STEP));
            }
        }
    }
    let shown: BTreeSet<usize> = marked
        .iter()
        .flat_map(|step| step.saturating_sub(AROUND)..=step + AROUND)
        .collect();
    let mut last = None;
    for (step, content) in shown.into_iter().filter_map(|step| Some((step, known(step)?))) {
        if last.is_some_and(|last| last + 1 < step) {
            text += "       …\n";
        }
        let mark = if marked.contains(&step) { '>' } else { ' ' };
        let _ = writeln!(text, "   {mark} {step:>4}  {}", one_step(content));
        last = Some(step);
    }
    text
}

fn one_step(step: &Step) -> String {
    let who = match step.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "agent",
        Role::Tool if step.error => "error",
        Role::Tool => "tool",
    };
    let mut said = vec![short(&step.content, STEP)];
    for call in &step.tool_calls {
        let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
        let by = call.requestor.as_ref().filter(|by| *by != "assistant");
        let by = by.map_or_else(String::new, |by| format!(" by {}", short(by, 20)));
        said.push(format!("{}({}){by}", short(&call.name, 60), short(&arguments, STEP)));
    }
    said.retain(|part| !part.is_empty());
    format!("{who:<6} {}", said.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Author, explain};
    use crate::fact::{Decision, Fact, What};
    use crate::failure::FailureKind;
    use crate::id::TaskId;
    use crate::mine::mine;
    use crate::trace::{Expected, ExpectedAction};

    fn run(ask: &str) -> Trace {
        let steps = format!(
            r#"[{{"role":"user","content":"{ask}"}},
            {{"role":"assistant","content":"Let me look.","tool_calls":[{{"id":"c1","name":"get_order","arguments":{{"order":"O-7"}}}}]}},
            {{"role":"tool","call_id":"c1","content":"{{\"status\":\"\u001b[31mlate\"}}"}},
            {{"role":"assistant","content":"Your order is late."}}]"#
        );
        Trace {
            steps: serde_json::from_str(&steps.replace('\u{1b}', "\\u001b")).unwrap(),
            expected: Some(Expected {
                actions: vec![ExpectedAction {
                    name: "refund".to_owned(),
                    ..ExpectedAction::default()
                }],
                communicate: Vec::new(),
            }),
            ..Trace::default()
        }
    }

    fn overview() -> (Overview, Trace) {
        let runs = ["Refund my lamp, it is late", "Refund the late lamp"];
        let failures: Vec<FailureRecord> = runs
            .iter()
            .map(|ask| mine(ask, &TaskId::new(*ask), &run(ask)))
            .collect();
        let read = What::FilesRead {
            digest: "d".to_owned(),
            files: vec!["runs.jsonl".to_owned()],
            part: 0,
            traces: 2,
            failures,
        };
        let facts = [Fact {
            at: "1".to_owned(),
            what: read,
        }];
        let named = Overview::local(&[], facts.clone(), &[]);
        let cluster = named.clusters.clusters.keys().next().unwrap().clone();
        let renamed = Fact {
            at: "2".to_owned(),
            what: What::Decided {
                by: "alice".to_owned(),
                decisions: vec![Decision::Rename {
                    cluster,
                    title: "forgets the refund".to_owned(),
                }],
            },
        };
        let [first] = facts;
        (Overview::local(&[], [first, renamed], &[]), run(runs[0]))
    }

    #[test]
    fn failures_are_listed_one_a_line() {
        let (overview, _) = overview();
        let records: Vec<&FailureRecord> = overview.records.values().collect();
        insta::assert_snapshot!(failures(&records, &overview));
        assert_eq!(failures(&[], &overview), "no failures\n");
    }

    #[test]
    fn a_cluster_is_shown_with_members_and_history() {
        let (overview, _) = overview();
        let why = explain(&overview.clusters, &overview.records);
        let (id, found) = overview.clusters.clusters.iter().next().unwrap();
        let rank = overview.clusters.rank_of(id);
        assert_eq!(overview.clusters.revisions()[0].by, Author::Person);
        insta::assert_snapshot!(cluster(found, rank.as_ref(), why.get(id), &overview));
    }

    #[test]
    fn a_failure_is_told_with_the_steps_around_its_evidence() {
        let (overview, trace) = overview();
        let record = overview
            .records
            .values()
            .find(|record| record.task.as_str().contains("is late"))
            .unwrap();
        let of = |_: &RootCause| Some(ClusterId::new("c-1a2b3c4d"));
        insta::assert_snapshot!(failure(record, Some(&trace), overview.origins.get(&record.id), of));
        let alone = failure(record, None, None, of);
        assert!(alone.contains("step 3: Your order is late."), "{alone}");
        let unknown = FailureRecord {
            kind: FailureKind::Infrastructure,
            causes: Vec::new(),
            ..record.clone()
        };
        assert!(failure(&unknown, None, None, of).ends_with("no cause was found\n"));
    }

    #[test]
    fn cases_are_listed_with_what_they_did() {
        let report = super::super::fixtures::report();
        let waits = EvalCase {
            title: "call \u{1b}[31m`refund`".to_owned(),
            note: Some("not runnable: a model has to judge it,\nand there is none".to_owned()),
            ..super::super::fixtures::case(2, crate::case::CaseState::Unconfirmed)
        };
        let all: Vec<&EvalCase> = report.cases.iter().take(2).chain([&waits]).collect();
        let refused = [Refusal {
            case: CaseId::new("case-0021"),
            reason: "matches something that is held out".to_owned(),
            kept: None,
        }];
        let aside = EvalCase {
            note: Some(
                "wavers: passed 1 of 4 on the harness of E007, in batch 2; back after 6 passes in a row".to_owned(),
            ),
            ..super::super::fixtures::case(3, crate::case::CaseState::Quarantined)
        };
        let all: Vec<&EvalCase> = all.into_iter().chain([&aside]).collect();
        let since = BTreeMap::from([(aside.id.clone(), "2026-07-28T09:00:00Z".to_owned())]);
        insta::assert_snapshot!(cases(&all, &refused, &since));
        assert!(cases(&[], &[], &BTreeMap::new()).starts_with("no cases yet"));
    }
}
