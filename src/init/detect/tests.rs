use super::*;

fn files(files: &[(&str, &str)]) -> Vec<ProjectFile> {
    let file = |(path, text): &(&str, &str)| ProjectFile {
        path: (*path).to_owned(),
        bytes: text.as_bytes().to_vec(),
        executable: false,
    };
    files.iter().map(file).collect()
}

fn seen(of: &[(&str, &str)]) -> Detected {
    let files = files(of);
    detect(&files, &files)
}

fn test_set_of(of: &[(&str, &str)]) -> TestSet {
    match seen(of).runners.into_iter().next() {
        Some(RunnerChoice::Command(set)) => set,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_project_gets_a_template_and_nothing_else() {
    let expected = Detected {
        runners: vec![RunnerChoice::Template],
        ..Detected::default()
    };
    assert_eq!(seen(&[("README.md", "hello")]), expected);
}

#[test]
fn the_harness_is_where_prompts_are_but_not_where_they_are_tested() {
    let detected = seen(&[
        ("agent/steps.toml", ""),
        ("src/app/prompts/system.md", ""),
        ("a/b/c/prompts/too-deep.md", ""),
        ("lib/greet.prompt.md", ""),
        ("tests/prompts/x.md", ""),
        ("evals/case.prompt.md", ""),
        ("docs/agents/how.md", ""),
    ]);
    assert_eq!(detected.harness, ["**/*.prompt.md", "agent/**", "src/app/prompts/**"]);
}

#[test]
fn a_worker_is_known_by_the_helper_it_uses_and_comes_before_a_test_set() {
    let detected = seen(&[
        ("bench/run.py", "from sprag_worker import Worker\n"),
        (
            "evals/test_a.py",
            "def test_one():\n    pass\ndef test_two():\n    pass\n",
        ),
        ("evals/sprag_worker.py", "import sys\n"),
        ("uv.lock", ""),
    ]);
    let worker = ["uv", "run", "python", "bench/run.py"].map(str::to_owned);
    assert_eq!(detected.runners[0], RunnerChoice::Worker(worker.to_vec()));
    assert_eq!(detected.runners.len(), 3, "{:?}", detected.runners);
}

#[test]
fn tests_of_evaluations_become_tasks_and_unit_tests_do_not() {
    let set = test_set_of(&[
        (
            "evals/deep/test_a.py",
            "def test_one():\n    pass\nasync def test_two(x):\n    pass\n",
        ),
        (
            "evals/z_test.py",
            "class A:\n    def test_inner(self): pass\ndef test_three():\n    pass\n",
        ),
        ("tests/test_unit.py", "def test_unit():\n    pass\n"),
    ]);
    assert_eq!(
        set.train,
        ["evals/deep/test_a.py::test_one", "evals/deep/test_a.py::test_two"]
    );
    assert_eq!(set.validation, ["evals/z_test.py::test_three"]);
    assert_eq!(set.command, ["python3", "-m", "pytest", "{task}", "--junitxml={out}"]);
    assert_eq!(set.report, ReportKind::Junit);
}

#[test]
fn a_single_test_is_no_test_set() {
    let detected = seen(&[("evals/test_a.py", "def test_one():\n    pass\n")]);
    assert_eq!(detected.runners, [RunnerChoice::Template]);
}

#[test]
fn inspect_tasks_are_found_by_their_decorator() {
    let text = "from inspect_ai import Task, task\n\n@task\ndef refunds():\n    return Task()\n\n\
                @task(name=\"x\")\ndef returns(a=1):\n    return Task()\n\ndef helper():\n    pass\n";
    let set = test_set_of(&[("bench/tasks.py", text)]);
    assert_eq!(set.train, ["bench/tasks.py@refunds"]);
    assert_eq!(set.validation, ["bench/tasks.py@returns"]);
}

#[test]
fn promptfoo_tests_are_picked_by_description_unless_it_is_a_pattern() {
    let text = "description: All of it\nproviders:\n  - id: x\n    description: a provider\ntests:\n  \
                - description: refund an order\n    vars: {}\n  - description: \"say hello\"\n  - description: what (if) any\n";
    let set = test_set_of(&[("promptfooconfig.yaml", text)]);
    assert_eq!(set.train, ["refund an order"]);
    assert_eq!(set.validation, ["say hello"]);
}

#[test]
fn uploads_that_look_like_traces_are_found_with_the_workflow_that_makes_them() {
    let nightly = r#"name: "Nightly evals" # every night
on: {schedule: [{cron: "1 1 * * *"}]}
jobs:
  evals:
    steps:
      - run: make evals
        name: agent work
      - name: Keep agent traces
        uses: actions/upload-artifact@v4
        if: always()
        with:
          path: out/
          name: agent-traces-${{ matrix.os }}-${{ github.run_id }} # by machine
      - uses: actions/upload-artifact@v4
        with:
          name: dist
          path: dist/
      - uses: actions/upload-artifact@v4
        with: # without a name
          path: agent/
        name: agent step
      - name: agent
        run: name
"#;
    let ours = "name: sprag\njobs:\n  a:\n    steps:\n      - uses: actions/upload-artifact@v4\n        with:\n          name: trace\n";
    let detected = seen(&[
        (".github/workflows/nightly.yml", nightly),
        (".github/workflows/other.yaml", "on: push\njobs: {}\n"),
        (".github/workflows/sprag.yml", ours),
    ]);
    assert_eq!(detected.artifacts, ["agent-traces-*-*"]);
    let workflow = TraceWorkflow {
        file: "nightly.yml".to_owned(),
        name: "Nightly evals".to_owned(),
    };
    assert_eq!(detected.workflows, [workflow]);
    assert_eq!(detected.workflow_names["other.yaml"], ".github/workflows/other.yaml");
}

#[test]
fn what_a_job_installs_goes_by_the_lock_file() {
    let setup = seen(&[
        ("requirements.txt", ""),
        (".python-version", "3.12"),
        ("package.json", "{}"),
        ("pnpm-lock.yaml", ""),
        ("Cargo.toml", ""),
        ("sub/uv.lock", ""),
    ])
    .setup;
    let python = Toolchain {
        version_file: Some(".python-version"),
        install: vec!["python -m pip install -r requirements.txt"],
    };
    let node = Toolchain {
        version_file: None,
        install: vec!["corepack enable", "pnpm install --frozen-lockfile"],
    };
    assert_eq!((setup.python, setup.node, setup.rust), (Some(python), Some(node), true));
}
