use super::*;
use crate::github::{Actor, LabelEvent, Permission, RepoName};

fn report(body: &str) -> Report {
    Report {
        number: 1,
        title: String::new(),
        body: body.to_owned(),
        comments: Vec::new(),
        impact: None,
    }
}

fn place() -> Place {
    Place {
        host: "github.com".to_owned(),
        repo: RepoName::parse("acme/shop").unwrap(),
    }
}

fn found(report: &Report) -> Vec<String> {
    let known = [TaskId::new("hd-1"), TaskId::new("hd-12")];
    let told = |clue: Clue| match clue {
        Clue::Trace(read) => format!("trace {}", read.trace.steps[0].content),
        other => format!("{other:?}"),
    };
    leads(report, &known, Some(&place()))
        .into_iter()
        .map(|lead| told(lead.clue))
        .collect()
}

const TRACE: &str = "{\"steps\": [{\"role\": \"user\", \"content\": \"hi\"}]}";

#[test]
fn a_fenced_trace_comes_before_a_named_task() {
    let body = format!("It failed in hd-1.\n```json\n{TRACE}\n```\n");
    assert_eq!(found(&report(&body)), ["trace hi", "Task(TaskId(\"hd-1\"))"]);
}

#[test]
fn a_trace_is_found_in_every_kind_of_block() {
    for body in [
        format!("~~~~\n{TRACE}\n~~~~"),
        format!("1. item\n   ```json\n   {TRACE}\n   ```"),
        format!("<details><summary>trace</summary>\n\n```\n{TRACE}\n```\n\n</details>"),
        format!("### Trace\n\n```json\n{TRACE}\n```\n\n### Task\n\n_No response_"),
        format!("```\n{TRACE}"),
    ] {
        assert_eq!(found(&report(&body)), ["trace hi"], "{body}");
    }
}

#[test]
fn a_task_is_found_as_a_whole_word() {
    assert_eq!(found(&report("seen in (hd-12).")), ["Task(TaskId(\"hd-12\"))"]);
    assert_eq!(found(&report("seen in `hd-1` again")), ["Task(TaskId(\"hd-1\"))"]);
    assert_eq!(found(&report("seen in hd-123")), [""; 0]);
}

#[test]
fn what_cannot_be_read_is_said_and_code_that_is_no_json_is_not_mentioned() {
    let broken = found(&report("```\n{\"steps\": [\n```"));
    assert!(
        broken[0].starts_with("Unreadable(\"the fenced block cannot be read as a trace"),
        "{broken:?}"
    );
    assert_eq!(found(&report("```rust\nfn main() {}\n```")), [""; 0]);
}

#[test]
fn only_what_the_reporter_and_people_with_rights_say_counts() {
    let remark = |login: &str, trusted| Remark {
        author_login: login.to_owned(),
        author_trusted: trusted,
        at: format!("by {login}"),
        body: format!("```\n{}\n```", TRACE.replace("hi", login)),
    };
    let mut report = report("no trace here");
    report.comments = vec![remark("stranger", false), remark("alice", true)];
    assert_eq!(found(&report), ["trace alice"]);
}

#[test]
fn links_of_this_repository_are_followed_and_no_others() {
    let links = "
[trace.json](https://github.com/user-attachments/files/123/trace.json)
https://github.com/acme/shop/files/9/run.jsonl, and
https://github.com/ACME/shop/actions/runs/55/job/7
(https://github.com/acme/shop/actions/runs/56/artifacts/8)
https://github.com/other/shop/actions/runs/57
https://evil.example/acme/shop/files/9/run.json
https://github.com/user-attachments/files/123/photo.png
https://github.com.evil.example/user-attachments/files/1/trace.json
";
    assert_eq!(
        found(&report(links)),
        [
            "Attachment { url: \"https://github.com/user-attachments/files/123/trace.json\", name: \"trace.json\" }",
            "Attachment { url: \"https://github.com/acme/shop/files/9/run.jsonl\", name: \"run.jsonl\" }",
            "Artifact { run: 56, id: 8 }",
            "WorkflowRun { id: 55 }",
        ]
    );
}

#[test]
fn a_form_tells_what_happened_and_its_headings_in_code_do_not() {
    let body = "### What was the agent asked to do?\n\nRefund order 7\n\n### What did it do?\n\n```\n### Version\n\n9\n```\nnothing\n\n\
                ### What should it have done?\n\n_No response_\n\n### Version\n\n1.2\n";
    let Clue::Told(told) = leads(&report(body), &[], None).remove(0).clue else {
        panic!("a story");
    };
    assert_eq!((told.asked.as_str(), told.did.as_str()), ("Refund order 7", "nothing"));
    assert_eq!((told.should.as_str(), told.version.as_str()), ("", "1.2"));
    let record = record_of_told("issue 1", 1, &told);
    assert_eq!(
        (record.context.as_str(), record.behaviour.as_str()),
        ("Refund order 7", "nothing")
    );
    assert_eq!(record.kind, crate::failure::FailureKind::Unknown);
    assert_eq!(found(&report("### Version\n\n1\n")), [""; 0], "that is no story");
    let how_bad = |labels: Option<Severity>, said: &str| {
        let body = format!("{body}\n### How bad is it?\n\n{said}\n");
        let impact = Report {
            impact: labels,
            ..report(&body)
        };
        impact.severity()
    };
    assert_eq!(
        how_bad(None, "high: something was done that should not have been"),
        Some(Severity::High)
    );
    assert_eq!(
        how_bad(Some(Severity::Critical), "low: it was annoying"),
        Some(Severity::Critical)
    );
    assert_eq!(how_bad(None, "_No response_"), None);
}

#[test]
fn a_label_counts_when_somebody_with_triage_rights_put_it_on_last() {
    let event = |id: u64, added| LabelEvent {
        id,
        issue: 1,
        actor: Actor {
            id,
            login: format!("u{id}"),
            bot: false,
        },
        label: "agent-failure".to_owned(),
        added,
        at: String::new(),
    };
    // Even ids have triage rights.
    let may = |actor: &Actor| {
        if actor.id.is_multiple_of(2) {
            Permission::Triage
        } else {
            Permission::Read
        }
    };
    let standing = |events: &[LabelEvent]| match labelled_by_trusted(events, "agent-failure", may) {
        LabelStanding::Counts { by, .. } => format!("counts by {}", by.login),
        LabelStanding::NotTrusted { by } => format!("not trusted: {}", by.login),
        LabelStanding::NotThere => "not there".to_owned(),
    };
    assert_eq!(standing(&[event(1, true)]), "not trusted: u1");
    assert_eq!(standing(&[event(1, true), event(2, true)]), "counts by u2");
    assert_eq!(
        standing(&[event(1, true), event(2, false), event(4, true)]),
        "counts by u4"
    );
    assert_eq!(
        standing(&[event(2, true), event(2, false), event(3, true)]),
        "not trusted: u3"
    );
    assert_eq!(standing(&[event(2, true), event(3, false)]), "not there");
    assert_eq!(
        labelled_by_trusted(&[event(2, true)], "bug", may),
        LabelStanding::NotThere
    );
}
