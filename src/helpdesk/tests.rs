//! The bundled agent as a whole: its scores, its tickets, its protocol.

use super::tasks::{self, Task};
use super::{issues, project_files, worker};
use serde_json::{Value, json};
use sprag_core::case;
use sprag_core::config;
use sprag_core::failure::FailureKind;
use sprag_core::harness::PathPolicy;
use sprag_core::id::TaskId;
use sprag_core::mine;
use sprag_core::signal::{self, Clue};
use sprag_core::trace::{Effect, Termination, Trace};
use sprag_core::trial::Split;
use std::collections::BTreeSet;
use std::path::Path;

const START: &str = include_str!("../../assets/helpdesk/agent/playbook.toml");
const REFERENCE: &str = include_str!("../../tests/fixtures/helpdesk/reference-playbook.toml");

/// A checkout with this playbook.
fn checkout(playbook: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in project_files() {
        let path = root.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    fs_err::write(root.path().join("agent/playbook.toml"), playbook).unwrap();
    root
}

fn of(split: Split) -> impl Iterator<Item = &'static Task> {
    tasks::all().iter().filter(move |task| task.split == split)
}

/// The tasks that fail.
fn failures(playbook: &str, split: Split) -> Vec<(&'static Task, Trace)> {
    let root = checkout(playbook);
    let runs = of(split).map(|task| (task, worker::run_task(root.path(), task).unwrap()));
    runs.filter(|(_, (passed, _))| !passed)
        .map(|(task, (_, trace))| (task, trace))
        .collect()
}

/// How many tasks of train and of validation pass.
fn passes(playbook: &str) -> (usize, usize) {
    let passes = |split| of(split).count() - failures(playbook, split).len();
    (passes(Split::Train), passes(Split::Validation))
}

fn with_step(step: &str) -> String {
    START.replacen(
        "[[step]]\nname = \"Close the ticket\"",
        &format!("{step}\n\n[[step]]\nname = \"Close the ticket\""),
        1,
    )
}

#[test]
fn the_playbook_written_in_a_hurry_solves_less_than_half() {
    assert_eq!((of(Split::Train).count(), of(Split::Validation).count()), (40, 24));
    assert_eq!(passes(START), (17, 11));
}

#[test]
fn the_repaired_playbook_solves_everything() {
    for split in [Split::Train, Split::Validation] {
        let failed: Vec<_> = failures(REFERENCE, split)
            .iter()
            .map(|(task, trace)| (&task.ticket, trace.checks.clone()))
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}

/// Steps that a proposer could come up with. Each solves tickets that the starting playbook does not.
#[test]
fn one_right_step_at_a_time_helps_and_an_over_general_one_hurts() {
    let credit = |condition: &str| {
        format!(
            "[[step]]\nname = \"credit\"\nwhen = [{condition}]\n\
             do = [{{ tool = \"add_credit\", args = {{ customer_id = \"{{get_order.customer_id}}\", amount = 5 }} }}]"
        )
    };
    let right = with_step(&credit(r#"{ tool = "get_order", field = "days_late", at_least = 7 }"#));
    assert_eq!(passes(&right), (19, 12), "the other tickets have another problem too");
    let any_delay = with_step(&credit(r#"{ tool = "get_order", field = "days_late", at_least = 1 }"#));
    assert_eq!(
        passes(&any_delay),
        (11, 8),
        "the lost and the punctual enough get a credit they should not have"
    );
    let phrase = with_step(&credit(r#"{ ticket = "should be here by now" }"#));
    assert_eq!(passes(&phrase), (16, 11), "every customer writes this");
}

#[test]
fn of_two_conditions_one_alone_is_not_enough() {
    let resume = |conditions: &str| {
        with_step(&format!(
            "[[step]]\nname = \"resume\"\nwhen = [{conditions}]\n\
             do = [{{ tool = \"resume_subscription\", args = {{ subscription_id = \"{{get_subscription.subscription_id}}\" }} }}]"
        ))
    };
    let by_us = r#"{ tool = "get_subscription", field = "paused_by", is = "system" }"#;
    let card = r#"{ tool = "get_subscription", field = "card", is = "valid" }"#;
    let (train, validation) = passes(START);
    let both = passes(&resume(&format!("{by_us}, {card}")));
    assert!(both.0 > train && both.1 > validation, "{both:?}");
    for alone in [by_us, card] {
        let one = passes(&resume(alone));
        assert!(one.0 < both.0 && one.1 < both.1, "{alone}: {one:?}");
    }
}

#[test]
fn a_person_must_take_over_before_anything_is_changed() {
    let step = "[[step]]\nname = \"hand over\"\nwhen = [{ tool = \"get_customer\", field = \"review\", is = \"required\" }]\n\
                do = [{ tool = \"transfer_to_human\", args = { customer_id = \"{customer}\" } }]";
    assert_eq!(passes(&with_step(step)), passes(START), "at the end it is too late");
    let first = START.replacen("[[step]]", &format!("{step}\n\n[[step]]"), 1);
    assert_eq!(passes(&first), (20, 12));
}

#[test]
fn a_broken_playbook_is_a_failure_of_the_agent_that_says_where() {
    let task = &tasks::all()[0];
    let broken = checkout("rounds = 1\n[[step]]\nname = \"x\"\nwhen = [{ has = \"LOST\" }]\n");
    let (passed, trace) = worker::run_task(broken.path(), task).unwrap();
    assert!(!passed);
    assert_eq!(trace.termination, Termination::AgentError);
    let last = &trace.steps.last().unwrap().content;
    assert_eq!(
        last,
        "agent/playbook.toml: step 'x', condition 1: 'has' and 'lacks' need 'tool' and no 'field'"
    );
    fs_err::remove_file(broken.path().join("agent/playbook.toml")).unwrap();
    let (passed, trace) = worker::run_task(broken.path(), task).unwrap();
    assert!(!passed);
    assert_eq!(
        trace.steps.last().unwrap().content,
        "agent/playbook.toml cannot be read: entity not found"
    );
}

#[test]
fn a_broken_database_is_not_a_failure_of_the_agent() {
    let root = checkout(START);
    fs_err::write(root.path().join("data/shop.json"), "{").unwrap();
    let error = worker::run_task(root.path(), &tasks::all()[0]).unwrap_err();
    assert_eq!(error.kind, FailureKind::Infrastructure);
    assert!(
        error
            .message
            .starts_with("the database data/shop.json cannot be read: EOF"),
        "{}",
        error.message
    );
}

#[test]
fn the_same_task_gives_the_same_trace() {
    let root = checkout(START);
    for task in tasks::all() {
        assert_eq!(
            worker::run_task(root.path(), task).unwrap(),
            worker::run_task(root.path(), task).unwrap()
        );
    }
}

#[test]
fn no_two_tasks_share_an_id_or_a_customer_and_ids_say_nothing() {
    let mut seen = BTreeSet::new();
    for task in tasks::all() {
        let digits = task.id.strip_prefix("hd-").unwrap();
        assert!(
            digits.len() == 8 && digits.chars().all(|digit| digit.is_ascii_hexdigit()),
            "{}",
            task.id
        );
        assert!(seen.insert(task.id.clone()), "{} comes twice", task.id);
        let rows = &task.rows;
        let ids = rows
            .customers
            .keys()
            .chain(rows.orders.keys())
            .chain(rows.payments.keys())
            .chain(rows.returns.keys());
        for id in ids.chain(rows.subscriptions.keys()).chain(rows.vouchers.keys()) {
            assert!(seen.insert(id.clone()), "{id} of {} comes twice", task.id);
        }
        assert!(task.ticket.contains(task.rows.customers.keys().next().unwrap()));
    }
}

/// Whatever an expected action needs can be read off an output or the ticket.
#[test]
fn the_arguments_of_every_expected_action_are_in_sight() {
    let root = checkout(REFERENCE);
    for task in tasks::all() {
        let (_, trace) = worker::run_task(root.path(), task).unwrap();
        let read = trace
            .exchanges()
            .into_iter()
            .filter(|exchange| trace.effect_of(&exchange.call.name) == Effect::Read);
        let outputs: String = read
            .filter_map(|exchange| Some(exchange.answer?.1.content.clone()))
            .collect();
        for (name, value) in task.expected.actions.iter().flat_map(|action| &action.arguments) {
            let constant = *value == json!(5);
            assert!(
                constant || outputs.contains(&value.to_string()),
                "{name} = {value} of {} is nowhere",
                task.id
            );
        }
    }
}

#[test]
fn the_issues_fit_the_tasks_and_the_agent() {
    let train: Vec<TaskId> = of(Split::Train).map(|task| TaskId::new(&task.id)).collect();
    let root = checkout(START);
    let numbers: Vec<u64> = issues().iter().map(|issue| issue.number).collect();
    assert_eq!(numbers, [12, 15, 17, 18, 21]);
    for issue in issues() {
        match (
            issue.number,
            signal::leads(&issue, &train, None)
                .into_iter()
                .next()
                .map(|lead| lead.clue),
        ) {
            (12 | 15, Some(Clue::Task(id))) => {
                let task = tasks::find(id.as_str()).unwrap();
                let quotes: Vec<_> = issue.body.lines().filter_map(|line| line.strip_prefix("> ")).collect();
                assert!(
                    quotes.iter().all(|quote| task.ticket.contains(quote)),
                    "{}",
                    task.ticket
                );
                let (passed, _) = worker::run_task(root.path(), task).unwrap();
                assert!(!passed, "issue {} is about a task that passes", issue.number);
            }
            (17, Some(Clue::Trace(attached))) => {
                let (_, trace) = worker::run_task(root.path(), tasks::find("hd-5da38c33").unwrap()).unwrap();
                assert_eq!(
                    attached.trace,
                    Trace {
                        checks: Vec::new(),
                        ..trace
                    },
                    "the trace in the issue is no longer what the agent does"
                );
            }
            (18, None) => {}
            (21, Some(Clue::Trace(attached))) => {
                assert_eq!(attached.trace.termination, Termination::InfrastructureError);
            }
            (number, clue) => panic!("issue {number}: {clue:?}"),
        }
    }
}

/// What the worker answers to these lines.
fn talk(root: &Path, lines: &[&str]) -> Vec<Value> {
    let mut output = Vec::new();
    worker::serve(root, lines.join("\n").as_bytes(), &mut output).unwrap();
    String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn it_speaks_the_worker_protocol() {
    let root = checkout(START);
    let task = &tasks::all()[0].id;
    let run = format!(r#"{{"type":"run","id":"r1","task":"{task}","trial":0,"seed":7,"trace":true,"new":1}}"#);
    let quiet = format!(r#"{{"type":"run","id":"r2","task":"{task}","trial":1,"seed":8,"trace":false}}"#);
    let answers = talk(
        root.path(),
        &[
            r#"{"type":"hello","protocol":1}"#,
            "not JSON",
            "",
            r#"{"type":"list","split":"train"}"#,
            r#"{"type":"list","split":"test"}"#,
            r#"{"type":"list","split":"moon"}"#,
            &run,
            &quiet,
            r#"{"type":"shutdown"}"#,
            r#"{"type":"hello","protocol":1}"#,
        ],
    );
    assert_eq!(
        answers[0],
        json!({"type": "ready", "protocol": 1, "name": "helpdesk", "parallel": 1, "harness": "run", "cases": true})
    );
    assert_eq!(answers[1]["ids"].as_array().unwrap().len(), 40);
    assert_eq!(answers[1]["inputs"].as_object().unwrap().len(), 40);
    for (answer, split) in [(2, "test"), (3, "moon")] {
        let nothing = json!({"type": "tasks", "split": split, "ids": [], "inputs": {}});
        assert_eq!(answers[answer], nothing);
    }
    assert_eq!(
        (&answers[4]["id"], &answers[4]["passed"], &answers[4]["score"]),
        (&json!("r1"), &json!(true), &json!(1.0))
    );
    let trace: Trace = serde_json::from_value(answers[4]["trace"].clone()).unwrap();
    assert_eq!(trace.expected.unwrap().actions[0].name, "reship_order");
    assert_eq!((&answers[5]["id"], answers[5].get("trace")), (&json!("r2"), None));
    assert_eq!(answers.len(), 6, "nothing comes after `shutdown`");
}

#[test]
fn it_reads_the_playbook_anew_at_every_run() {
    let root = checkout(START);
    let run = format!(
        r#"{{"type":"run","id":"r","task":"{}","trial":0,"seed":0,"trace":false}}"#,
        tasks::all()[1].id
    );
    assert_eq!(talk(root.path(), &[&run])[0]["passed"], json!(false));
    fs_err::write(root.path().join("agent/playbook.toml"), REFERENCE).unwrap();
    assert_eq!(talk(root.path(), &[&run])[0]["passed"], json!(true));
}

#[test]
fn what_it_cannot_run_is_an_error_of_the_evaluator() {
    let root = checkout(START);
    let answers = talk(
        root.path(),
        &[
            r#"{"type":"run","id":"a","task":"zz","trial":0,"seed":0,"trace":true}"#,
            r#"{"type":"run","id":"b","trial":0,"seed":0,"trace":true}"#,
            r#"{"type":"run","id":"c","case":{"input":{}},"trial":0,"seed":0,"trace":true}"#,
            r#"{"type":"run","id":"d","trial":"x"}"#,
            r#"{"type":"run","id":"e","case":{"input":{"messages":["Customer: C-1002","I cannot log in"]}},"trial":0,"seed":0,"trace":true}"#,
        ],
    );
    assert_eq!(
        answers[0]["error"],
        json!({"kind": "evaluator", "message": "unknown task 'zz'"})
    );
    assert_eq!(
        answers[1]["error"]["message"],
        json!("a run needs exactly one of 'task' and 'case'")
    );
    assert_eq!(
        answers[2]["error"]["message"],
        json!("the case cannot be read: missing field `messages`")
    );
    assert_eq!(
        (&answers[3]["id"], &answers[3]["error"]["kind"]),
        (&json!("d"), &json!("evaluator"))
    );
    assert_eq!(answers[4].get("passed"), None, "the case is scored by sprag");
    assert!(answers[4]["trace"].to_string().contains("unlock_account"));
}

/// The recorded ticket of an issue, on an order that the shop does not know: its rows come from what the tools answered then.
#[test]
fn a_recorded_ticket_fails_as_it_did_and_passes_when_the_playbook_is_right() {
    let report = issues().into_iter().find(|issue| issue.number == 17).unwrap();
    let Some(Clue::Trace(attached)) = signal::leads(&report, &[], None)
        .into_iter()
        .next()
        .map(|lead| lead.clue)
    else {
        panic!("issue 17 has a trace")
    };
    let record = mine::mine("issue 17", &TaskId::new("issue #17"), &attached.trace);
    let draft = case::draft("issue 17", &attached.trace, &record, None);
    let run = json!({"type": "run", "id": "r", "case": {"input": draft.input, "expect": draft.expect, "fixtures": draft.fixtures},
        "trial": 0, "seed": 0, "trace": true});
    for (playbook, passes) in [(START, false), (REFERENCE, true)] {
        let answers = talk(checkout(playbook).path(), &[&run.to_string()]);
        assert_eq!(answers[0].get("passed"), None, "sprag scores the trace");
        let trace: Trace = serde_json::from_value(answers[0]["trace"].clone()).unwrap();
        assert_eq!(
            case::expect::verdict(&case::expect::score(&draft.expect, &trace)),
            Some(passes),
            "{trace:?}"
        );
        if !passes {
            assert_eq!(trace.steps, attached.trace.steps, "the same run again");
        }
    }
}

#[test]
fn the_configuration_has_no_mistakes_and_only_the_playbook_may_change() {
    let files = project_files();
    let text = files.iter().find(|(path, _)| *path == "sprag.toml").unwrap().1;
    let config = config::parse(text).unwrap();
    assert_eq!(config.runner.command, ["{sprag}", "helpdesk-worker"]);
    let policy = PathPolicy::new(&config.harness.paths, &config.harness.protect, &[]).unwrap();
    let allowed: Vec<&str> = files
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| policy.allows(path))
        .collect();
    assert_eq!(allowed, ["agent/playbook.toml"]);
}
