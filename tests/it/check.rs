//! `sprag worker check` against workers with one fault each: what it says is what a person mends the worker by.

use sprag::cli::init::{InitArgs, Language, init};
use sprag::cli::worker::{exit_code, render};
use sprag::project::ProjectFiles;
use sprag::runner::Hold;
use sprag::runner::check::{CheckReport, CheckRequest, Outcome, check};
use sprag_testkit::workers;
use std::time::Duration;

/// Long enough for any machine; no test waits for it.
const PATIENT: Duration = Duration::from_secs(60);
/// For workers that never answer, so that it cannot be too short.
const SHORT: Duration = Duration::from_millis(300);
/// Answers everything but a run.
const HANGS: &str = r#"while read -r line; do case "$line" in
    *hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;
    *train*) echo '{"type":"tasks","split":"train","ids":["a"]}' ;;
    *validation*) echo '{"type":"tasks","split":"validation","ids":["b"]}' ;;
    *run*) sleep 1000 ;;
    *shutdown*) exit ;;
esac; done"#;

async fn report(command: Vec<String>) -> CheckReport {
    report_within(command, PATIENT, PATIENT).await
}

async fn report_within(command: Vec<String>, limit: Duration, shutdown_limit: Duration) -> CheckReport {
    let project = tempfile::tempdir().unwrap();
    let request = CheckRequest {
        command,
        project_dir: project.path().to_owned(),
        files: ProjectFiles::default(),
        env_pass: vec![],
        scratch: project.path().join("scratch"),
        hold: Hold::none(),
        limit,
        shutdown_limit,
        proxy: None,
    };
    check(request).await.unwrap()
}

async fn complaints(fault: &str) -> String {
    complaints_in(&report(workers::python("wrong.py", &[fault])).await)
}

/// Every finding that is not fine, as it is printed.
fn complaints_in(report: &CheckReport) -> String {
    let bad = report
        .checks
        .iter()
        .filter(|finding| matches!(finding.outcome, Outcome::Problem | Outcome::Warning));
    bad.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_good_worker_is_fine() {
    let report = report(workers::python("wrong.py", &[])).await;
    insta::assert_snapshot!(render(&report, false), @r#"
    ok       start: starts and answers `hello`
    ok       ready: "sample", takes 1 run at a time, reads the harness at every start
    ok       train tasks: 2 tasks
    ok       validation tasks: 1 task
    ok       splits: train and validation share no task
    ok       run: passed, with a trace of 3 steps
    ok       second run: passed, with a trace of 3 steps
    skipped  parallel runs: it takes 1 run at a time
    ok       unknown task: is answered with an error
    skipped  case: `ready` does not say `"cases": true`, so recorded inputs are not run
    ok       no trace: gives a verdict and no trace
    ok       held-out run: gives a verdict and no trace
    ok       unknown message: unknown types and fields are ignored
    ok       shutdown: ends when it is asked to
    ok       stdout: carries nothing but messages
    The worker is fine.
    "#);
    assert_eq!(exit_code(&report), 0);
}

#[tokio::test]
async fn a_worker_made_by_init_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let args = InitArgs {
        yes: true,
        worker: Some(Language::Python),
        dir: dir.path().to_owned(),
    };
    init(&args, &mut std::io::empty(), &mut Vec::new()).unwrap();
    let worker = dir.path().join("evals/worker.py").to_string_lossy().into_owned();
    let report = report(vec!["python3".to_owned(), worker]).await;
    assert_eq!((report.n_problems(), report.n_warnings()), (0, 0), "{report}");
    let case = report.checks.iter().find(|finding| finding.check == "case").unwrap();
    assert_eq!(
        case.to_string(),
        "ok       case: runs a recorded input, with a trace of 2 steps"
    );
}

#[tokio::test]
async fn a_worker_that_takes_recorded_inputs_and_hides_what_held_out_tasks_begin_with_is_warned_of() {
    let worker = HANGS
        .replace(r#""name":"sh""#, r#""name":"sh","cases":true"#)
        .replace("sleep 1000", "exit");
    let report = report(vec!["sh".to_owned(), "-c".to_owned(), worker]).await;
    let warned = report
        .checks
        .iter()
        .find(|finding| finding.check == "validation inputs");
    let warned = warned.unwrap().to_string();
    assert!(
        warned.starts_with("warning") && warned.contains("0 of 1 validation tasks"),
        "{warned}"
    );
}

#[tokio::test]
async fn parallel_runs_are_made_at_a_time() {
    let report = report(workers::python("wrong.py", &["parallel"])).await;
    let finding = report
        .checks
        .iter()
        .find(|finding| finding.check == "parallel runs")
        .unwrap();
    assert_eq!(
        finding.to_string(),
        "ok       parallel runs: answers two runs at a time"
    );
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let report = report(vec!["no-such".into()]).await;
    insta::assert_snapshot!(render(&report, false), @r#"
    problem  start: `no-such` cannot be started: No such file or directory (os error 2)
               mend: check the program's name and that it is installed; the command runs in the root of the project
    skipped  train tasks: the worker does not get ready
    skipped  validation tasks: the worker does not get ready
    skipped  splits: the worker does not get ready
    skipped  run: the worker does not get ready
    skipped  second run: the worker does not get ready
    skipped  parallel runs: the worker does not get ready
    skipped  unknown task: the worker does not get ready
    skipped  case: the worker does not get ready
    skipped  no trace: the worker does not get ready
    skipped  held-out run: the worker does not get ready
    skipped  unknown message: the worker does not get ready
    skipped  shutdown: the worker does not get ready
    1 problem: sprag cannot rely on this worker yet.
    "#);
    assert_eq!(exit_code(&report), 6);
    assert!(
        render(&report, true)
            .starts_with(r#"{"problems":1,"warnings":0,"checks":[{"check":"start","outcome":"problem""#)
    );
}

#[tokio::test]
async fn a_worker_that_does_not_get_ready() {
    insta::assert_snapshot!(complaints("start").await, @r#"
    problem  start: ended (exit status: 1) instead of answering `hello`; the end of its log:
               | no module named agent
               mend: run the command by hand in the root of the project until it waits for input; its log says what is missing
    "#);
    insta::assert_snapshot!(complaints_in(&report_within(workers::shell("sleep 1000"), SHORT, SHORT).await), @r#"
    problem  start: did not answer `hello` within 300 ms
               mend: answer every message with one line of JSON and flush stdout after it (Python: `flush=True`); if it only needs longer, give `--limit SECONDS`
    "#);
    insta::assert_snapshot!(complaints("not-json").await, @r#"
    problem  start: answered `hello` with a line that is not JSON: key must be a string at line 1 column 2
               line: {'type': 'ready', 'protocol': 1}
               mend: write one JSON object a line, with no line break inside (Python: `json.dumps`)
    "#);
    insta::assert_snapshot!(complaints("version").await, @r#"
    problem  ready: `protocol` must be 1, the version this sprag speaks, and it is 2
               line: {"type": "ready", "protocol": 2, "name": "sample"}
               mend: see the table of messages in docs/worker-protocol.md
    "#);
    insta::assert_snapshot!(complaints("fields").await, @r#"
    problem  ready: `name` is missing; it must be a text
               line: {"type": "ready", "protocol": 1, "parallel": "2"}
               mend: see the table of messages in docs/worker-protocol.md
    problem  ready: `parallel` must be a whole number, and it is "2"
               line: {"type": "ready", "protocol": 1, "parallel": "2"}
               mend: see the table of messages in docs/worker-protocol.md
    "#);
}

#[tokio::test]
async fn noise_on_stdout() {
    insta::assert_snapshot!(complaints("noise").await, @r#"
    problem  stdout: 2 lines are no messages of the protocol
               line: Loading model…
                     Done.
               mend: print to stderr instead (Python: `print(..., file=sys.stderr)`); sprag_worker.py does this for all of your code
    "#);
}

#[tokio::test]
async fn wrong_lists() {
    insta::assert_snapshot!(complaints("empty").await, @r#"
    problem  train tasks: has no train tasks
               mend: list at least one task in train and in validation
    problem  validation tasks: has no validation tasks
               mend: list at least one task in train and in validation
    "#);
    insta::assert_snapshot!(complaints("duplicates").await, @r#"
    problem  train tasks: lists some train tasks twice: `a`
               mend: give every task one id of its own, in one split only
    problem  splits: has tasks that are in train and in validation: `c`
               mend: keep validation tasks out of train: they must stay unseen
    "#);
}

#[tokio::test]
async fn wrong_results() {
    insta::assert_snapshot!(complaints("trace").await, @r#"
    problem  run: `trace.steps[0].role` must be system, user, assistant or tool, and it is "bot"
               line: {"type": "result", "id": "check-run", "passed": true, "score": 1.0, "trace": {"steps": [{"role": "bot", "content": "hi"}, {"role": "assistant", "tool_calls": […
               mend: see the table of messages in docs/worker-protocol.md
    problem  run: `trace.steps[1].tool_calls[0].arguments` must be an object, and it is "{}"
               line: {"type": "result", "id": "check-run", "passed": true, "score": 1.0, "trace": {"steps": [{"role": "bot", "content": "hi"}, {"role": "assistant", "tool_calls": […
               mend: see the table of messages in docs/worker-protocol.md
    problem  run: `trace.steps[2].call_id` is "c9", and no call before it with that id waits for an answer
               line: {"type": "result", "id": "check-run", "passed": true, "score": 1.0, "trace": {"steps": [{"role": "bot", "content": "hi"}, {"role": "assistant", "tool_calls": […
               mend: see the table of messages in docs/worker-protocol.md
    "#);
    insta::assert_snapshot!(complaints("no-trace").await, @r#"
    problem  run: gave no trace though the run said `"trace": true`
               line: {"type": "result", "id": "check-run", "passed": true, "score": 1.0}
               mend: put the trace object into the result
    "#);
    insta::assert_snapshot!(complaints("score").await, @r#"
    problem  run: `score` must be a number from 0 to 1, and it is 7
               line: {"type": "result", "id": "check-run", "passed": true, "score": 7, "trace": {"steps": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [{…
               mend: see the table of messages in docs/worker-protocol.md
    "#);
    insta::assert_snapshot!(complaints("error").await, @r#"
    problem  run: the run ended in an error: no key
               mend: make this run work; the log of the worker may say more
    "#);
    insta::assert_snapshot!(complaints("leak").await, @r#"
    problem  no trace: gave a trace though the run said `"trace": false`
               mend: leave `trace` out of the result when the run says `"trace": false`
    problem  held-out run: gave a trace though the run said `"trace": false`
               mend: leave `trace` out of the result when the run says `"trace": false`
    "#);
    insta::assert_snapshot!(complaints("wavers").await, @r#"
    warning  second run: the same task and seed failed and then passed
               mend: take all randomness from `seed` where you can; sprag copes, but needs more runs to be sure
    "#);
}

#[tokio::test]
async fn runs_without_an_answer() {
    insta::assert_snapshot!(complaints("crash").await, @r#"
    problem  run: ended (exit status: 1) instead of answering `run`; the end of its log:
               | KeyError: 'prompt'
               mend: catch what goes wrong in a run and answer with an `error` result; the log shows where it ended
    "#);
    insta::assert_snapshot!(complaints_in(&report_within(workers::shell(HANGS), SHORT, PATIENT).await), @r#"
    problem  run: did not answer `run` within 300 ms
               mend: answer every message with one line of JSON and flush stdout after it (Python: `flush=True`); if it only needs longer, give `--limit SECONDS`
    "#);
}

#[tokio::test]
async fn messages_that_are_handled_wrongly() {
    insta::assert_snapshot!(complaints("unknown-task").await, @r#"
    problem  unknown task: gave a verdict for a task that does not exist
               line: {"type": "result", "id": "check-unknown", "passed": true, "score": 1.0, "trace": {"steps": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_call…
               mend: answer a task that is not in any list with an `error` of the kind `evaluator`
    "#);
    insta::assert_snapshot!(complaints("unknown-message").await, @r#"
    problem  unknown message: sent a message of an unknown type, then `list`: ended (exit status: 1) instead of answering `list`; the end of its log:
               | unknown message sprag_check
               mend: ignore types and fields you do not know
    "#);
    insta::assert_snapshot!(complaints_in(&report_within(workers::python("wrong.py", &["shutdown"]), PATIENT, SHORT).await), @r#"
    problem  shutdown: still runs 300 ms after `shutdown`, and was killed
               mend: end the process on `shutdown`, and its threads and children too
    "#);
}
