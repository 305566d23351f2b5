//! The worker runner against real, small, mostly ill-behaved processes.

use serde_json::Value;
use sprag::project::{ProjectFile, ProjectFiles};
use sprag::runner::{Hold, Job, Runner, RunnerError, WorkerConfig, WorkerRunner};
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::trial::{Split, Trial, TrialStatus, Usage};
use sprag_testkit::workers;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

struct Bench {
    project: TempDir,
    runner: WorkerRunner,
}

impl Bench {
    fn new(command: Vec<String>) -> Self {
        Self::with(command, |_| {})
    }

    fn scripted(options: &[&str]) -> Self {
        Self::new(workers::python("scripted.py", options))
    }

    fn with(command: Vec<String>, change: impl FnOnce(&mut WorkerConfig)) -> Self {
        let project = tempfile::tempdir().unwrap();
        let prompt = ProjectFile {
            path: "agent/prompt.txt".into(),
            bytes: b"base".into(),
            executable: false,
        };
        let mut config = WorkerConfig {
            command,
            project_dir: project.path().to_owned(),
            files: ProjectFiles {
                files: vec![prompt],
                harness: harness("base"),
            },
            concurrency: 1,
            timeout: Duration::from_secs(60),
            retries: 0,
            env_pass: vec![],
            scratch: project.path().join("scratch"),
            hold: Hold::none(),
            proxy: None,
        };
        change(&mut config);
        Self {
            project,
            runner: WorkerRunner::new(config),
        }
    }

    async fn run(&self, prompt: &str, tasks: &[&str]) -> Result<Vec<Trial>, RunnerError> {
        let jobs: Vec<Job> = tasks.iter().map(|task| job(task)).collect();
        self.run_jobs(prompt, &jobs).await
    }

    async fn run_jobs(&self, prompt: &str, jobs: &[Job]) -> Result<Vec<Trial>, RunnerError> {
        let (done, mut trials) = unbounded_channel();
        self.runner.run(&harness(prompt), jobs, done).await?;
        let mut found = Vec::new();
        while let Some(trial) = trials.recv().await {
            found.push(trial);
        }
        found.sort_by_key(|(job, _)| *job);
        let indices: Vec<usize> = found.iter().map(|(job, _)| *job).collect();
        assert_eq!(indices, (0..jobs.len()).collect::<Vec<_>>(), "one trial a job");
        Ok(found.into_iter().map(|(_, trial)| trial).collect())
    }

    async fn one(&self, task: &str) -> Trial {
        self.run("base", &[task]).await.unwrap().remove(0)
    }

    fn count(&self, name: &str) -> usize {
        fs_err::read(self.project.path().join(format!("{name}.count"))).map_or(0, |bytes| bytes.len())
    }

    fn checkouts(&self) -> usize {
        fs_err::read_dir(self.project.path().join("scratch")).map_or(0, Iterator::count)
    }
}

fn harness(prompt: &str) -> Harness {
    Harness::new([("agent/prompt.txt".to_owned(), prompt.to_owned())])
}

fn job(task: &str) -> Job {
    Job {
        task: TaskId::new(task),
        case: None,
        trial: 0,
        seed: 7,
        trace: true,
    }
}

fn held_out(task: &str) -> Job {
    Job {
        trace: false,
        ..job(task)
    }
}

fn error_of(trial: &Trial) -> String {
    match &trial.status {
        TrialStatus::Errored { kind, message } => format!("{kind}: {message}"),
        TrialStatus::Passed | TrialStatus::Failed => panic!("{trial:?} has a verdict"),
    }
}

fn content(trial: &Trial) -> Value {
    serde_json::from_str(&trial.trace.as_ref().unwrap().steps[0].content).unwrap()
}

/// Waits until nothing of a process is left but perhaps a zombie that its new parent has not noticed yet.
async fn is_gone(pid: &str) -> bool {
    let path = Path::new("/proc").join(pid).join("stat");
    for _ in 0..10_000 {
        match fs_err::read_to_string(&path) {
            Ok(stat) if !stat.contains(") Z ") => tokio::task::yield_now().await,
            _ => return true,
        }
    }
    false
}

#[tokio::test]
async fn a_good_worker_gives_lists_and_verdicts() {
    let bench = Bench::scripted(&[]);
    assert_eq!(
        bench.runner.list(Split::Train).await.unwrap(),
        [TaskId::new("train-1"), TaskId::new("ok-2")]
    );
    let trials = bench.run("base", &["ok", "fail", "noise", "stray"]).await.unwrap();
    assert_eq!(
        trials.iter().map(Trial::passed).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    assert_eq!(
        trials.iter().map(|trial| trial.score).collect::<Vec<_>>(),
        [1.0, 0.25, 1.0, 1.0]
    );
    assert_eq!((trials[0].usage.input_tokens, trials[0].duration_ms), (5, 7));
    assert_eq!(bench.checkouts(), 1, "one process served all");
    bench.runner.shut_down().await;
    assert_eq!((bench.count("shutdown"), bench.checkouts()), (1, 0));
}

#[tokio::test]
async fn what_is_no_verdict_is_an_error_of_the_evaluator() {
    let bench = Bench::scripted(&[]);
    let trials = bench.run("base", &["broken", "no-verdict", "zz", "ok"]).await.unwrap();
    insta::assert_snapshot!(trials[..3].iter().map(error_of).collect::<Vec<_>>().join("\n"), @r#"
    evaluator: the runner sent a broken result: `passed` must be true or false, and it is "yes"
    evaluator: the runner gave no verdict
    evaluator: unknown task 'zz'
    "#);
    assert!(trials[3].passed());
}

#[tokio::test]
async fn errors_are_tried_again_and_their_cost_is_counted() {
    let bench = Bench::with(workers::python("scripted.py", &[]), |config| config.retries = 2);
    let trials = bench.run("base", &["error-twice", "error"]).await.unwrap();
    assert!(trials[0].passed());
    assert_eq!(
        trials[0].usage,
        Usage {
            usd: 1.0,
            ..Usage::default()
        }
    );
    assert_eq!(
        error_of(&trials[1]),
        "infrastructure: the endpoint of ticket O-7 is down"
    );
    assert_eq!((bench.count("error"), trials[1].usage.usd), (3, 0.75));
}

#[tokio::test]
async fn a_worker_that_dies_in_a_run_is_replaced() {
    let bench = Bench::scripted(&[]);
    let trials = bench.run("base", &["die", "ok"]).await.unwrap();
    assert_eq!(
        error_of(&trials[0]),
        "infrastructure: the worker ended (exit status: 3) in this run; the end of its log:\nout of cheese"
    );
    assert!(trials[1].passed());
    let patient = Bench::with(workers::python("scripted.py", &[]), |config| config.retries = 1);
    assert!(patient.one("die-once").await.passed());
}

#[tokio::test]
async fn a_worker_that_only_dies_ends_the_run() {
    let bench = Bench::scripted(&[]);
    let tasks = ["die"; 8];
    let error = bench.run("base", &tasks).await.unwrap_err();
    let RunnerError::Protocol { problem, stderr, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        problem,
        "was lost 5 times in a row without a result; the last time it ended (exit status: 3)"
    );
    assert_eq!(stderr, "out of cheese");
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_with_its_children() {
    // A shell, because it starts well within a limit that a test can wait for.
    let script = r#"while read -r line; do case "$line" in
        *hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;
        *hang*) sleep 1000 & echo $! > "$SPRAG_PROJECT/grandchild"; wait ;;
        *run*) echo '{"type":"result","id":"r2","passed":true,"trace":{"steps":[]}}' ;;
        *) exit ;;
    esac; done"#;
    let bench = Bench::with(workers::shell(script), |config| {
        config.timeout = Duration::from_millis(300);
    });
    let trials = bench.run("base", &["hang", "ok"]).await.unwrap();
    assert_eq!(error_of(&trials[0]), "infrastructure: did not answer within 300 ms");
    assert!(trials[1].passed());
    let grandchild = fs_err::read_to_string(bench.project.path().join("grandchild")).unwrap();
    assert!(is_gone(grandchild.trim()).await);
}

#[tokio::test]
async fn a_grandchild_that_kept_the_pipes_of_a_dead_worker_keeps_nobody_waiting() {
    let script = r#"mkfifo "$SPRAG_PROJECT/gate" 2>/dev/null
    while read -r line; do case "$line" in
        *hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;
        *leave*) setsid sh -c 'read -r word < "$SPRAG_PROJECT/gate"' & exit ;;
        *run*) echo '{"type":"result","id":"r2","passed":true,"trace":{"steps":[]}}' ;;
        *) exit ;;
    esac; done"#;
    let bench = Bench::with(workers::shell(script), |config| {
        config.timeout = Duration::from_millis(300);
    });
    let trials = bench.run("base", &["leave", "ok"]).await.unwrap();
    assert_eq!(error_of(&trials[0]), "infrastructure: did not answer within 300 ms");
    assert!(trials[1].passed(), "{trials:?}");
    // Lets the grandchild go; it is in no group of ours any more.
    fs_err::write(bench.project.path().join("gate"), "go\n").unwrap();
}

#[tokio::test]
async fn floods_are_breaches_and_the_next_run_goes_on() {
    let bench = Bench::scripted(&[]);
    let trials = bench.run("base", &["flood", "flood-lines", "ok"]).await.unwrap();
    assert_eq!(
        error_of(&trials[0]),
        "infrastructure: the worker wrote a line of more than 64 MiB and was stopped in this run"
    );
    assert_eq!(
        error_of(&trials[1]),
        "infrastructure: the worker wrote 64 MiB to stdout without a message and was stopped in this run"
    );
    assert!(trials[2].passed());
}

#[tokio::test]
async fn dropping_a_run_or_the_runner_leaves_no_process() {
    let bench = Bench::scripted(&[]);
    let first = content(&bench.one("harness").await)["pid"].to_string();
    {
        let jobs = [job("hang")];
        let (done, _trials) = unbounded_channel();
        let base = harness("base");
        let run = bench.runner.run(&base, &jobs, done);
        let started = async {
            while !bench.project.path().join("grandchild").exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { _ = run => panic!("it hangs"), () = started => {} }
    }
    assert!(is_gone(&first).await, "the worker of the dropped run");
    let second = content(&bench.one("harness").await)["pid"].to_string();
    assert_ne!(first, second);
    drop(bench.runner);
    assert!(is_gone(&second).await, "the idle worker of the dropped runner");
}

#[tokio::test]
async fn a_new_harness_restarts_a_worker_that_reads_it_at_the_start() {
    let bench = Bench::scripted(&[]);
    let before = content(&bench.run("base", &["harness"]).await.unwrap()[0]);
    let after = content(&bench.run("better", &["harness"]).await.unwrap()[0]);
    assert_eq!(
        (&before["at_start"], &after["at_start"]),
        (&"base".into(), &"better".into())
    );
    assert_ne!(before["pid"], after["pid"]);
    assert_ne!(before["cwd"], after["cwd"], "a new process gets a new checkout");
    assert_eq!(bench.count("shutdown"), 1, "the old one was asked politely");
}

#[tokio::test]
async fn a_new_harness_does_not_restart_a_worker_that_reads_it_at_every_run() {
    let bench = Bench::scripted(&["--harness", "run"]);
    let before = content(&bench.run("base", &["harness"]).await.unwrap()[0]);
    let after = content(&bench.run("better", &["harness"]).await.unwrap()[0]);
    assert_eq!(before["pid"], after["pid"]);
    assert_eq!((&after["at_start"], &after["now"]), (&"base".into(), &"better".into()));
}

#[tokio::test]
async fn a_worker_gets_as_many_runs_at_a_time_as_it_says() {
    let bench = Bench::with(workers::python("scripted.py", &["--parallel", "2"]), |config| {
        config.concurrency = 2;
    });
    let trials = bench.run("base", &["ok-1", "fail", "fail", "ok-2"]).await.unwrap();
    assert_eq!(
        trials.iter().map(Trial::passed).collect::<Vec<_>>(),
        [true, false, false, true]
    );
    assert_eq!(bench.checkouts(), 1);
}

#[tokio::test]
async fn concurrency_starts_more_workers() {
    let bench = Bench::with(workers::python("scripted.py", &[]), |config| config.concurrency = 3);
    assert!(bench.run("base", &["ok"; 12]).await.unwrap().iter().all(Trial::passed));
    assert_eq!(bench.checkouts(), 3);
    assert!(bench.run("base", &["ok"]).await.unwrap()[0].passed());
    assert_eq!(bench.checkouts(), 3, "they are kept for the next call");
}

#[tokio::test]
async fn held_out_runs_give_nothing_away() {
    let bench = Bench::scripted(&[]);
    let jobs = [
        held_out("ok"),
        held_out("error"),
        held_out("die"),
        held_out("broken"),
        job("die"),
    ];
    let trials = bench.run_jobs("base", &jobs).await.unwrap();
    assert!(trials[0].passed() && trials[0].trace.is_none());
    insta::assert_snapshot!(trials[1..].iter().map(error_of).collect::<Vec<_>>().join("\n"), @r"
    infrastructure: the runner reported an infrastructure error on a held-out task
    infrastructure: the worker ended (exit status: 3) in this run
    evaluator: the runner reported an evaluator error on a held-out task
    infrastructure: the worker ended (exit status: 3) in this run; the end of its log:
    out of cheese
    ");
}

#[tokio::test]
async fn the_environment_is_clean() {
    let bench = Bench::new(workers::python("scripted.py", &[]));
    let names = content(&bench.one("env").await);
    let names: Vec<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some(),
        "there is something that must not pass"
    );
    assert!(names.contains(&"PATH") && names.contains(&"SPRAG_PROJECT"));
    assert!(
        !names
            .iter()
            .any(|name| name.starts_with("CARGO") || name.contains("TOKEN")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_worker_that_does_not_start_says_why() {
    let problem = async |command: Vec<String>, limit| {
        let bench = Bench::with(command, |config| config.timeout = limit);
        match bench.run("base", &["ok"]).await.unwrap_err() {
            RunnerError::Protocol { problem, stderr, .. } => format!("{problem} [{stderr}]"),
            error => error.to_string(),
        }
    };
    let scripted = async |act: &str| {
        let command = workers::python("scripted.py", &["--start", act]);
        problem(command, Duration::from_secs(60)).await
    };
    insta::assert_snapshot!([
        scripted("die").await,
        problem(workers::shell("sleep 1000"), Duration::from_millis(300)).await,
        scripted("garbage").await,
        scripted("protocol").await,
        scripted("nameless").await,
    ].join("\n"), @r"
    ended (exit status: 2) before it answered `hello` [no such model]
    did not answer `hello` within 300 ms []
    ended (exit status: 0) before it answered `hello`; before that it wrote `{{{` to stdout, which belongs to the protocol []
    answered `hello` with protocol 2, and this sprag speaks 1 []
    answered `hello` with a broken `ready`: `name` is missing; it must be a text []
    ");
    let error = Bench::new(vec!["no-such-program".into()])
        .run("base", &["ok"])
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the runner `no-such-program` could not be started: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn noise_at_the_start_is_borne() {
    assert!(Bench::scripted(&["--start", "noise"]).one("ok").await.passed());
}

#[tokio::test]
async fn a_harness_that_breaks_the_worker_is_an_error_of_its_runs_only() {
    let bench = Bench::scripted(&["--start", "die-on-bad"]);
    let trials = bench.run("bad", &["ok", "fail"]).await.unwrap();
    assert_eq!(
        error_of(&trials[1]),
        "unknown: the worker cannot work with this harness: it ended (exit status: 2) before it answered `hello`; the end of its log:\nno such model"
    );
    assert!(bench.run("good", &["ok"]).await.unwrap()[0].passed());
}

#[tokio::test]
async fn a_shell_script_is_a_worker_too() {
    let script = r#"while read -r line; do case "$line" in
        *hello*) echo '{"type":"ready","protocol":1,"name":"sh"}' ;;
        *run*) echo '{"type":"result","id":"r1","passed":true,"trace":{"steps":[]}}' ;;
        *) exit ;;
    esac; done"#;
    assert!(Bench::new(workers::shell(script)).one("a").await.passed());
}

/// Answers a case with what the person said first.
const ECHO: &str = r#"
import json, sys
for line in sys.stdin:
    said = json.loads(line)
    kind = said["type"]
    if kind == "hello":
        answer = {"type": "ready", "protocol": 1, "name": "echo", "cases": True}
    elif kind == "list":
        answer = {"type": "tasks", "split": said["split"], "ids": ["v"], "inputs": {"v": "the held-out request"}}
    elif kind == "run":
        text = said["case"]["input"]["messages"][0] if "task" not in said else "a task"
        answer = {"type": "result", "id": said["id"], "trace": {"steps": [{"role": "assistant", "content": text}]}}
    else:
        break
    print(json.dumps(answer), flush=True)
"#;

#[tokio::test]
async fn a_recorded_input_is_scored_by_what_its_case_expects() {
    let bench = Bench::new(["python3", "-c", ECHO].map(str::to_owned).into());
    assert_eq!(bench.runner.cases_refused().await.unwrap(), None);
    let case = |text: &str| serde_json::json!({"input": {"messages": ["Hello there"]}, "expect": [{"type": "contains", "text": text}]});
    let jobs = ["hello", "goodbye"].map(|text| Job {
        case: Some(std::sync::Arc::new(case(text))),
        ..job("recorded-0123456789ab")
    });
    let trials = bench.run_jobs("base", &jobs).await.unwrap();
    assert_eq!(
        [&trials[0].status, &trials[1].status],
        [&TrialStatus::Passed, &TrialStatus::Failed]
    );
    assert_eq!(
        error_of(&bench.one("t").await),
        "evaluator: the runner gave no verdict",
        "a task is not scored so"
    );
    assert_eq!(bench.runner.held_out_inputs(), [""; 0]);
    bench.runner.list(Split::Train).await.unwrap();
    assert_eq!(
        bench.runner.held_out_inputs(),
        [""; 0],
        "what train tasks begin with is nobody's business"
    );
    bench.runner.list(Split::Validation).await.unwrap();
    assert_eq!(bench.runner.held_out_inputs(), ["the held-out request"]);
}

#[tokio::test]
async fn a_worker_that_says_nothing_of_recorded_inputs_gets_none() {
    let refused = Bench::scripted(&[]).runner.cases_refused().await.unwrap();
    assert!(refused.unwrap().contains("\"cases\": true"));
}

/// A provider that tells 1,000 tokens read and 100 written, and what requests to it cost: $0.0011 each.
async fn model(usd: f64) -> std::sync::Arc<sprag::proxy::Proxy> {
    use axum::Json;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = serde_json::json!({"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
    let app = axum::Router::new().fallback(move || std::future::ready(Json(answer.clone())));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let text = format!(
        "[runner.model]\nprovider = \"openai\"\nnames = [\"m-1\"]\nbase_url = \"{base}\"\nprices = {{ input = 1, output = 1 }}\n"
    );
    let config = sprag_core::config::parse(&text).unwrap().runner.model.unwrap();
    let purse = sprag::model::Purse::new(usd);
    let key = |_: &str| Some("sk-real".to_owned());
    let redactor = sprag_core::redact::Redactor::default();
    sprag::proxy::Proxy::open(&config, &sprag::model::Tape::Off, redactor, purse, key).unwrap()
}

#[tokio::test]
async fn what_a_worker_asks_a_model_is_charged_to_the_run_that_asked() {
    let proxy = model(1.0).await;
    let bench = Bench::with(workers::python("asking.py", &[]), |config| config.proxy = Some(proxy));
    let trials = bench.run("base", &["a", "twice-b", "c"]).await.unwrap();
    let tokens: Vec<u64> = trials.iter().map(|trial| trial.usage.input_tokens).collect();
    assert_eq!(tokens, [1000, 2000, 1000]);
    assert!((trials[1].usage.usd - 0.0022).abs() < 1e-9);
    assert!(trials.iter().all(Trial::passed));
}

#[tokio::test]
async fn a_run_whose_requests_the_budget_cuts_off_has_no_verdict() {
    let proxy = model(1.0).await;
    let bench = Bench::with(workers::python("asking.py", &[]), |config| config.proxy = Some(proxy));
    bench.runner.allow(0.0012);
    let trial = bench.one("twice-a").await;
    assert!(
        error_of(&trial).contains("the budget did not cover"),
        "{}",
        error_of(&trial)
    );
    assert_eq!(trial.usage.input_tokens, 1000, "what was asked before is paid");
}
