use super::*;
use crate::init::TraceWorkflow;
use sprag_core::render::labels;

fn choices() -> Choices {
    Choices {
        harness: vec!["agent/**".to_owned()],
        runner: RunnerChoice::Template,
        labels: vec!["agent-failure".to_owned()],
        github_models: false,
        artifacts: Vec::new(),
        workflows: Vec::new(),
    }
}

fn text_of(path: &str, choices: &Choices, setup: &Setup, place: &Place) -> String {
    let files = files(choices, setup, place);
    let file = files.into_iter().find(|file| file.path == path);
    file.unwrap_or_else(|| panic!("{path} is not written")).text
}

#[test]
fn a_default_project_has_next_to_nothing_in_its_configuration() {
    let text = text_of("sprag.toml", &choices(), &Setup::default(), &Place::default());
    insta::assert_snapshot!(text, @r#"
    # What sprag may change, and how it runs your agent. A key that is left out has a default that works.

    [runner]
    command = ["python3", "evals/worker.py"]
    "#);
}

#[test]
fn a_full_configuration_is_what_was_chosen() {
    let choices = Choices {
        harness: vec!["prompts/**".to_owned(), "**/*.prompt.md".to_owned()],
        runner: RunnerChoice::Command(TestSet {
            title: "pytest".to_owned(),
            command: vec!["sh".to_owned(), "a \"b\" {task} {out}".to_owned()],
            report: ReportKind::Junit,
            train: vec!["a::b".to_owned()],
            validation: vec!["c::d".to_owned()],
        }),
        artifacts: vec!["traces-*".to_owned()],
        workflows: vec![TraceWorkflow {
            file: "nightly.yml".to_owned(),
            name: "Nightly: all".to_owned(),
        }],
        ..choices()
    };
    let text = text_of("sprag.toml", &choices, &Setup::default(), &Place::default());
    let config = sprag_core::config::parse(&text).unwrap();
    assert_eq!(config.harness.paths, choices.harness);
    assert_eq!(config.runner.command[1], "a \"b\" {task} {out}");
    assert_eq!(
        (&config.runner.tasks.train[..], &config.runner.tasks.validation[..]),
        (&["a::b".to_owned()][..], &["c::d".to_owned()][..])
    );
    assert_eq!(config.runner.report, ReportKind::Junit);
    assert_eq!(config.signals.artifacts, ["traces-*"]);
    assert_eq!(config.signals.workflows, ["nightly.yml"]);
}

#[test]
fn no_mark_of_a_template_is_left() {
    let full = Setup {
        python: Some(Toolchain::default()),
        node: Some(Toolchain::default()),
        rust: true,
    };
    for setup in [Setup::default(), full] {
        for file in files(&choices(), &setup, &Place::default()) {
            let marks: Vec<&str> = file
                .text
                .lines()
                .filter(|line| !line.contains("uses:") && line.contains("@"))
                .collect();
            assert!(
                file.path.ends_with(".py") || marks.iter().all(|line| !line.trim_start().starts_with('@')),
                "{marks:?}"
            );
            for mark in [
                "@setup@",
                "@env@",
                "@action@",
                "@checkout@",
                "@labels@",
                "@label@",
                "@cron@",
                "@workflow_run",
                "@repository@",
            ] {
                assert!(!file.text.contains(mark), "{mark} is left in {}", file.path);
            }
        }
    }
}

#[test]
fn finished_workflows_are_listened_to_only_where_some_are_named() {
    let with = Choices {
        workflows: vec![TraceWorkflow {
            file: "nightly.yml".to_owned(),
            name: "Nightly \"all\"".to_owned(),
        }],
        ..choices()
    };
    let text = text_of(WORKFLOWS[0], &with, &Setup::default(), &Place::default());
    assert!(
        text.contains("    workflows: [\"Nightly \\\"all\\\"\"]\n    types: [completed]\n  pull_request:"),
        "{text}"
    );
    assert!(
        text.contains(" ||\n      github.event_name == 'workflow_run'\n"),
        "{text}"
    );
    let without = text_of(WORKFLOWS[0], &choices(), &Setup::default(), &Place::default());
    assert!(!without.contains("workflow_run"), "{without}");
}

#[test]
fn issues_count_by_any_of_their_labels() {
    let choices = Choices {
        labels: vec!["agent-failure".to_owned(), "it's wrong".to_owned()],
        ..choices()
    };
    let text = text_of(WORKFLOWS[0], &choices, &Setup::default(), &Place::default());
    let line = text.lines().find(|line| line.contains("'issues'")).unwrap_or_default();
    insta::assert_snapshot!(line.trim(), @"(github.event_name == 'issues' && github.event.sender.type != 'Bot' && (contains(github.event.issue.labels.*.name, 'agent-failure') || contains(github.event.issue.labels.*.name, 'it''s wrong') || contains(github.event.issue.labels.*.name, 'sprag: dashboard'))) ||");
}

/// A job of a written workflow.
fn job(workflow: &str, name: &str) -> String {
    job_of(workflow, name, &choices())
}

fn job_of(workflow: &str, name: &str, choices: &Choices) -> String {
    let text = text_of(workflow, choices, &Setup::default(), &Place::default());
    let lines = text.lines().skip_while(|line| *line != format!("  {name}:")).skip(1);
    lines
        .take_while(|line| line.is_empty() || line.starts_with("   "))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn a_comment_on_an_issue_that_lacks_a_trace_is_looked_at_without_a_command() {
    let wanted = labels::STANDINGS
        .iter()
        .find(|label| label.description.contains("needs a recorded run"));
    let label = wanted.map(|label| label.name).unwrap_or_default();
    let sync = job(WORKFLOWS[0], "sync");
    let asks = format!(
        "github.event.comment.user.type != 'Bot' &&\n      (contains(github.event.comment.body, '/sprag') || \
         contains(github.event.issue.labels.*.name, '{label}')))"
    );
    assert!(sync.contains(&asks), "{sync}");
}

#[test]
fn a_pressed_button_is_dropped_by_no_other_event() {
    let sync = job(WORKFLOWS[0], "sync");
    let group =
        "group: sprag-sync${{ github.event_name == 'check_run' && format('-{0}', github.event.check_run.id) || '' }}\n";
    assert!(sync.contains(group), "{sync}");
}

#[test]
fn each_job_may_do_what_its_command_does_and_no_more() {
    // By the endpoints that src/flow calls for it. Who may do what is asked with `metadata`, which every token has.
    let permissions = |workflow, name, github_models| {
        let choices = Choices {
            github_models,
            ..choices()
        };
        let job = job_of(workflow, name, &choices);
        let lines = job
            .lines()
            .skip_while(|line| !line.starts_with("    permissions:"))
            .skip(1);
        let of_job: Vec<String> = lines
            .take_while(|line| line.starts_with("      "))
            .filter_map(|line| Some(line.split_once('#')?.0.trim().to_owned()))
            .collect();
        of_job.join(", ")
    };
    let (gate, asked) = (
        "contents: read, checks: write",
        "contents: read, pull-requests: read, checks: write",
    );
    let rest = "contents: write, issues: write, pull-requests: write, checks: read, actions: read";
    for (workflow, name, may) in [
        (WORKFLOWS[1], "gate", gate),
        (WORKFLOWS[0], "gate", asked),
        (WORKFLOWS[0], "again", asked),
        (WORKFLOWS[0], "sync", rest),
        (WORKFLOWS[0], "read", rest),
        (WORKFLOWS[0], "optimize", "contents: read, pull-requests: read"),
    ] {
        assert_eq!(permissions(workflow, name, false), may);
        assert_eq!(
            permissions(workflow, name, true),
            format!("{may}, models: read"),
            "GitHub's models are asked with the job's token"
        );
    }
    let writes = "contents: write, issues: write, pull-requests: write, checks: write";
    assert_eq!(permissions(WORKFLOWS[0], "publish", true), writes, "it asks no model");
}

#[test]
fn the_job_that_runs_the_agent_has_no_key_and_the_one_that_writes_sets_nothing_up() {
    let setup = Setup {
        rust: true,
        ..Setup::default()
    };
    let text = text_of(WORKFLOWS[0], &choices(), &setup, &Place::default());
    let (_, rest) = text.split_once("\n  optimize:\n").unwrap();
    let (optimize, rest) = rest.split_once("\n  publish:\n").unwrap();
    let (publish, _) = rest.split_once("\n  again:\n").unwrap();
    assert!(!optimize.contains("secrets.SPRAG_APP_PRIVATE_KEY") && optimize.contains("command: optimize\n"));
    assert!(
        publish.contains("secrets.SPRAG_APP_PRIVATE_KEY") && !publish.contains("run: "),
        "{publish}"
    );
    let trusted = "ref: ${{ needs.read.outputs.commit }}\n";
    assert!(
        optimize.contains(trusted) && publish.contains(trusted),
        "no job that ran an agent says what is checked out"
    );
}

#[test]
fn the_action_is_pinned_by_the_commit_that_the_program_knows() {
    let place = Place {
        prefix: String::new(),
        action_commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
    };
    let text = text_of(WORKFLOWS[1], &choices(), &Setup::default(), &place);
    let uses: Vec<&str> = text.lines().filter(|line| line.contains("uses: ")).collect();
    assert_eq!(
        uses.last().map(|line| line.trim()),
        Some(concat!(
            "- uses: sprag-bot/sprag@0123456789abcdef0123456789abcdef01234567 # v",
            env!("CARGO_PKG_VERSION")
        ))
    );
}

#[test]
fn a_project_in_a_folder_is_named_in_the_workflows_of_the_repository() {
    let place = Place {
        prefix: "bots/desk/".to_owned(),
        action_commit: None,
    };
    let setup = Setup {
        python: Some(Toolchain {
            version_file: Some(".python-version"),
            install: vec!["python -m pip install ."],
        }),
        ..Setup::default()
    };
    let paths: Vec<String> = files(&choices(), &setup, &place)
        .into_iter()
        .map(|file| file.path)
        .collect();
    assert_eq!(
        paths,
        [
            "bots/desk/sprag.toml",
            "bots/desk/evals/worker.py",
            "bots/desk/evals/sprag_worker.py",
            WORKFLOWS[0],
            WORKFLOWS[1],
            ISSUE_FORM
        ]
    );
    let text = text_of(WORKFLOWS[1], &choices(), &setup, &place);
    assert!(text.contains("config: bots/desk/sprag.toml\n"), "{text}");
    assert!(
        text.contains("python-version-file: bots/desk/.python-version\n"),
        "{text}"
    );
    assert!(
        text.contains("- run: python -m pip install .\n        working-directory: bots/desk\n"),
        "{text}"
    );
}

#[test]
fn the_issue_form_has_the_first_of_the_labels_that_are_configured() {
    let choices = Choices {
        labels: vec!["agent: it's \"wrong\"".to_owned(), "other".to_owned()],
        ..choices()
    };
    let form = text_of(ISSUE_FORM, &choices, &Setup::default(), &Place::default());
    assert!(form.contains("\nlabels: [\"agent: it's \\\"wrong\\\"\"]\n"), "{form}");
}

#[test]
fn the_issue_form_asks_exactly_what_signals_reads() {
    let form = text_of(ISSUE_FORM, &choices(), &Setup::default(), &Place::default());
    let labels: Vec<&str> = form
        .lines()
        .filter_map(|line| line.trim().strip_prefix("label: "))
        .collect();
    assert_eq!(
        labels,
        [
            "What was the agent asked to do?",
            "What did it do?",
            "What should it have done?",
            "How bad is it?",
            "Trace",
            "Task",
            "Version"
        ]
    );
}
