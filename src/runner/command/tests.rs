use super::*;
use tokio::sync::mpsc::unbounded_channel;

struct Bench {
    scratch: tempfile::TempDir,
    runner: CommandRunner,
}

fn bench(script: &str, change: impl FnOnce(&mut CommandConfig)) -> Bench {
    let scratch = tempfile::tempdir().unwrap();
    let arguments = ["sh", "-c", script, "sh", "{task}", "{out}", "{case}", "{seed}-{trial}"];
    let mut config = CommandConfig {
        command: arguments.map(str::to_owned).into(),
        project_dir: scratch.path().to_owned(),
        files: ProjectFiles::default(),
        concurrency: 2,
        timeout: Duration::from_secs(60),
        retries: 0,
        env_pass: vec![],
        scratch: scratch.path().join("scratch"),
        hold: Hold::none(),
        proxy: None,
        tasks: CommandTasks {
            train: vec!["a".into()],
            validation: vec!["b".into()],
        },
        report: ReportKind::Result,
    };
    change(&mut config);
    Bench {
        scratch,
        runner: CommandRunner::new(config),
    }
}

impl Bench {
    async fn run(&self, task: &str, trace: bool) -> Result<Trial, RunnerError> {
        let jobs = [Job {
            task: TaskId::new(task),
            case: None,
            trial: 3,
            seed: 7,
            trace,
        }];
        let (done, mut trials) = unbounded_channel();
        let harness = Harness::new([("agent/prompt.txt".to_owned(), "hello".to_owned())]);
        self.runner.run(&harness, &jobs, done).await?;
        Ok(trials.recv().await.unwrap().1)
    }

    async fn error(&self, trace: bool) -> String {
        match self.run("a", trace).await.unwrap().status {
            TrialStatus::Errored { kind, message } => format!("{kind}: {message}"),
            status => panic!("{status:?}"),
        }
    }
}

fn junit(config: &mut CommandConfig) {
    config.report = ReportKind::Junit;
}

#[tokio::test]
async fn placeholders_are_filled_and_the_result_is_read() {
    let script = r#"printf '{"passed":true,"score":0.5,"trace":{"steps":[{"role":"user","content":"%s %s"}]}}' "$1 $4" "$(cat agent/prompt.txt)" > "$2"
        grep -q '"task":"a; rm x"' "$3""#;
    let bench = bench(script, |_| {});
    let trial = bench.run("a; rm x", true).await.unwrap();
    assert!(trial.passed());
    assert!((trial.score - 0.5).abs() < 1e-9);
    assert_eq!(trial.trace.unwrap().steps[0].content, "a; rm x 7-3 hello");
    assert_eq!(
        fs::read_dir(bench.scratch.path().join("scratch")).unwrap().count(),
        0,
        "nothing is left behind"
    );
    assert_eq!(bench.runner.list(Split::Validation).await.unwrap(), [TaskId::new("b")]);
}

#[tokio::test]
async fn a_recorded_input_is_in_the_file_and_scored_by_what_it_expects() {
    let script = r#"grep -q '"task"' "$3" && exit 4
        grep -q '"messages":\["hello"\]' "$3" &&
        printf '{"trace":{"steps":[{"role":"assistant","content":"hello"}]}}' > "$2""#;
    let bench = bench(script, |_| {});
    assert_eq!(bench.runner.cases_refused().await.unwrap(), None);
    let case = json!({"input": {"messages": ["hello"]}, "expect": [{"type": "contains", "text": "hello"}]});
    let jobs = [Job {
        task: TaskId::new("recorded-0123456789ab"),
        case: Some(Arc::new(case)),
        trial: 0,
        seed: 7,
        trace: true,
    }];
    let (done, mut trials) = unbounded_channel();
    bench.runner.run(&Harness::default(), &jobs, done).await.unwrap();
    let (_, trial) = trials.recv().await.unwrap();
    assert!(trial.passed(), "{trial:?}");
}

#[tokio::test]
async fn a_command_that_fails_is_an_error_and_says_why() {
    assert_eq!(
        bench("echo no model >&2; exit 4", |_| {}).error(true).await,
        "infrastructure: the command ended (exit status: 4); the end of its log:\nno model"
    );
    assert_eq!(
        bench("exit 4", |_| {}).error(false).await,
        "infrastructure: the runner reported an infrastructure error on a held-out task"
    );
    assert_eq!(
        bench("true", |_| {}).error(true).await,
        "infrastructure: the command ended (exit status: 0) and left no report in `{out}`"
    );
    assert_eq!(
        bench("echo hi > $2", |_| {}).error(true).await,
        "evaluator: the runner sent a broken result: it is not JSON: expected value at line 1 column 1"
    );
    assert_eq!(
        bench(r#"echo '{"passed":1}' > $2"#, |_| {}).error(true).await,
        "evaluator: the runner sent a broken result: `passed` must be true or false, and it is 1"
    );
}

#[tokio::test]
async fn a_command_that_hangs_is_killed() {
    let limit = |config: &mut CommandConfig| config.timeout = Duration::from_millis(200);
    assert_eq!(
        bench("sleep 1000", limit).error(true).await,
        "infrastructure: did not end within 200 ms"
    );
}

#[tokio::test]
async fn errors_are_tried_again() {
    let script = r#"test -e $SPRAG_PROJECT/once || { touch $SPRAG_PROJECT/once; exit 1; }
        echo '{"passed":true,"trace":{"steps":[]}}' > $2"#;
    assert!(
        bench(script, |config| config.retries = 1)
            .run("a", true)
            .await
            .unwrap()
            .passed()
    );
}

#[tokio::test]
async fn junit_reports_judge_whatever_the_exit_status() {
    let script =
        r#"echo '<testsuite><testcase name="1"/><testcase name="2"><failure/></testcase></testsuite>' > $2; exit 1"#;
    let trial = bench(script, junit).run("a", true).await.unwrap();
    assert_eq!((trial.status, trial.score), (TrialStatus::Failed, 0.5));
    let script = r#"echo '<testsuite><testcase name="1"/></testsuite>' > $2"#;
    assert!(bench(script, junit).run("a", false).await.unwrap().passed());
    assert_eq!(
        bench("echo '<a/>' > $2", junit).error(true).await,
        "evaluator: the JUnit report has no test that ran"
    );
}

#[tokio::test]
async fn promptfoo_and_inspect_reports_judge_too() {
    let promptfoo =
        r#"echo '{"results":{"results":[{"success":true},{"success":false,"failureReason":1}]}}' > $2; exit 100"#;
    let bench_of = |script: &str, kind: ReportKind| bench(script, move |config| config.report = kind);
    let trial = bench_of(promptfoo, ReportKind::Promptfoo)
        .run("a", false)
        .await
        .unwrap();
    assert_eq!((trial.status, trial.score), (TrialStatus::Failed, 0.5));
    let inspect = r#"echo '{"status":"success","samples":[{"scores":{"m":{"value":"C"}}}]}' > $2"#;
    assert!(
        bench_of(inspect, ReportKind::Inspect)
            .run("a", false)
            .await
            .unwrap()
            .passed()
    );
    insta::assert_snapshot!(
        bench_of("echo '{}' > $2", ReportKind::Inspect).error(true).await,
        @"evaluator: the Inspect log cannot be read: missing field `status` at line 1 column 2"
    );
}

#[tokio::test]
async fn a_command_gets_an_address_and_a_word_and_no_key() {
    let text = "[runner.model]\nprovider = \"anthropic\"\nnames = [\"m\"]\n";
    let config = sprag_core::config::parse(text).unwrap().runner.model.unwrap();
    let purse = crate::model::Purse::new(1.0);
    let key = |_: &str| Some("sk-real".to_owned());
    let redactor = sprag_core::redact::Redactor::default();
    let proxy = Proxy::open(&config, &crate::model::Tape::Off, redactor, purse, key).unwrap();
    let script = r#"env > env.txt
case "$ANTHROPIC_BASE_URL $ANTHROPIC_API_KEY" in
  "http://127.0.0.1:"*" sprag-"*) ! grep -q sk-real env.txt && echo '{"passed": true}' > "$2" ;;
esac"#;
    let bench = bench(script, |config| config.proxy = Some(proxy));
    assert!(bench.run("a", false).await.unwrap().passed());
}
