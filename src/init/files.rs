//! The files that `sprag init` proposes, made of what was detected and chosen.

use super::detect::{Setup, Toolchain};
use super::{Choices, RunnerChoice, TestSet};
use sprag_core::config::{HarnessConfig, ReportKind};
use std::fmt::Write as _;

/// The workflows, by path from the root of the repository.
pub const WORKFLOWS: [&str; 2] = [".github/workflows/sprag.yml", ".github/workflows/sprag-gate.yml"];
const ISSUE_FORM: &str = ".github/ISSUE_TEMPLATE/agent-failure.yml";

/// The repository of sprag's action, when `Cargo.toml` names none.
const ACTION_REPOSITORY: &str = "sprag-bot/sprag";

// The actions that written workflows use, pinned: a tag can be moved to other code, a commit cannot.
pub(crate) const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
pub(crate) const UPLOAD: &str = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1";
pub(crate) const DOWNLOAD: &str = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1";
const SETUP_PYTHON: &str = "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0";
const SETUP_NODE: &str = "actions/setup-node@249970729cb0ef3589644e2896645e5dc5ba9c38 # v6.5.0";

/// The label of the issue whose checkboxes a person ticks, which GitHub tells as an edit.
const DASHBOARD_LABEL: &str = "sprag: dashboard";

/// At night, where most of those are who wait for a runner by day; not on the hour, when GitHub drops jobs.
const CRON: &str = "17 3 * * *";

/// One file that `init` proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its path from the root of the repository.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Whether it belongs to the person as soon as it is there, so that it is never looked at again.
    pub seed: bool,
}

/// Where things stand: what a written workflow must name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The folder of the project from the root of the repository, with a `/` at its end; empty for the root.
    pub prefix: String,
    /// The commit of the action that this program belongs to; `None` for one that was built by hand.
    pub action_commit: Option<String>,
}

/// All files, in the order in which they are shown.
pub fn files(choices: &Choices, setup: &Setup, place: &Place) -> Vec<Planned> {
    let mut files = vec![Planned {
        path: format!("{}sprag.toml", place.prefix),
        text: config(choices),
        seed: true,
    }];
    if choices.runner == RunnerChoice::Template {
        let worker = [
            ("evals/worker.py", include_str!("../../assets/python/worker.py"), true),
            (
                "evals/sprag_worker.py",
                include_str!("../../assets/python/sprag_worker.py"),
                false,
            ),
        ];
        files.extend(worker.map(|(path, text, seed)| Planned {
            path: format!("{}{path}", place.prefix),
            text: text.to_owned(),
            seed,
        }));
    }
    let github = [
        (
            WORKFLOWS[0],
            workflow(include_str!("../../assets/github/sprag.yml"), choices, setup, place),
        ),
        (
            WORKFLOWS[1],
            workflow(
                include_str!("../../assets/github/sprag-gate.yml"),
                choices,
                setup,
                place,
            ),
        ),
        (ISSUE_FORM, issue_form(choices)),
    ];
    files.extend(github.map(|(path, text)| Planned {
        path: path.to_owned(),
        text,
        seed: false,
    }));
    files
}

/// A `sprag.toml` with what differs from the defaults.
fn config(choices: &Choices) -> String {
    let mut text =
        "# What sprag may change, and how it runs your agent. A key that is left out has a default that works.\n"
            .to_owned();
    let harness = &choices.harness;
    if !harness.is_empty() && *harness != HarnessConfig::default().paths {
        let _infallible = write!(text, "\n[harness]\npaths = {}\n", list(harness));
    }
    match &choices.runner {
        RunnerChoice::Worker(command) => {
            let _infallible = write!(text, "\n[runner]\ncommand = {}\n", list(command));
        }
        RunnerChoice::Command(set) => text.push_str(&command_runner(set)),
        // The template's command is the default; it stands there for whoever looks for it.
        RunnerChoice::Template | RunnerChoice::AsConfigured => {
            text.push_str("\n[runner]\ncommand = [\"python3\", \"evals/worker.py\"]\n");
        }
    }
    if !choices.artifacts.is_empty() {
        let workflows: Vec<String> = choices.workflows.iter().map(|workflow| workflow.file.clone()).collect();
        let _infallible = write!(
            text,
            "\n[signals]\nartifacts = {}\nworkflows = {}\n",
            list(&choices.artifacts),
            list(&workflows)
        );
    }
    text
}

fn command_runner(set: &TestSet) -> String {
    let report = match set.report {
        ReportKind::Result => "result",
        ReportKind::Junit => "junit",
        ReportKind::Promptfoo => "promptfoo",
        ReportKind::Inspect => "inspect",
    };
    format!(
        "\n[runner]\nkind = \"command\"\ncommand = {}\nreport = \"{report}\"\n\n\
         # Validation tasks are held out: sprag measures with them and never looks into them. Keep the two lists different.\n\
         [runner.tasks]\ntrain = {}\nvalidation = {}\n",
        list(&set.command),
        lines(&set.train),
        lines(&set.validation)
    )
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(items: &[String]) -> String {
    format!(
        "[{}]",
        items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ")
    )
}

fn lines(items: &[String]) -> String {
    let items: String = items.iter().map(|item| format!("    {},\n", quoted(item))).collect();
    format!("[\n{items}]")
}

/// The issue form, with the label that the workflow listens to. Any of several would do, so the first is taken.
fn issue_form(choices: &Choices) -> String {
    let label = choices
        .labels
        .first()
        .map(|label| serde_json::Value::from(label.as_str()).to_string());
    include_str!("../../assets/github/agent-failure.yml").replace("@label@", &label.unwrap_or_default())
}

/// A workflow of its template.
fn workflow(template: &str, choices: &Choices, setup: &Setup, place: &Place) -> String {
    let labels: Vec<String> = choices
        .labels
        .iter()
        .map(String::as_str)
        .chain([DASHBOARD_LABEL])
        .map(|label| {
            format!(
                "contains(github.event.issue.labels.*.name, '{}')",
                label.replace('\'', "''")
            )
        })
        .collect();
    let names: Vec<String> = choices
        .workflows
        .iter()
        .map(|workflow| serde_json::Value::from(workflow.name.as_str()).to_string())
        .collect();
    let (trigger, condition) = if names.is_empty() {
        (String::new(), "")
    } else {
        // A reader of the file asks the same question as a linter does.
        let trigger = format!(
            "  # Only a hint that there may be artifacts: the job that it starts checks out the default branch and runs none of that workflow's code.\n\
             \x20 workflow_run: # zizmor: ignore[dangerous-triggers]\n    workflows: [{}]\n    types: [completed]\n",
            names.join(", ")
        );
        (trigger, " ||\n      github.event_name == 'workflow_run'")
    };
    let config = if place.prefix.is_empty() {
        String::new()
    } else {
        format!("          config: {}sprag.toml\n", place.prefix)
    };
    template
        .replace("@workflow_run@", &trigger)
        .replace("@workflow_run_if@", condition)
        .replace("@labels@", &labels.join(" || "))
        .replace("@models@\n", if choices.github_models { MODELS } else { "" })
        .replace("@cron@", CRON)
        .replace("@setup@", &setup_steps(setup, &place.prefix))
        .replace("@env@", ENV_EXAMPLE)
        .replace("@checkout@", CHECKOUT)
        .replace("@upload@", UPLOAD)
        .replace("@download@", DOWNLOAD)
        .replace("@action@", &action(place))
        .replace("@repository@", repository())
        .replace(
            "        with:\n          command:",
            &format!("        with:\n{config}          command:"),
        )
}

/// What the job's token needs to ask the models of GitHub.
const MODELS: &str = "      models: read # the model of [model] in sprag.toml\n";

/// Where the secrets of the agent go; what the runner may see of them is said in `sprag.toml`.
const ENV_EXAMPLE: &str = "        # What your agent needs; name it under runner.env in sprag.toml too, or the agent does not see it.\n\
                           \x20       # env:\n\
                           \x20       #   MODEL_API_KEY: ${{ secrets.MODEL_API_KEY }}\n";

fn repository() -> &'static str {
    env!("CARGO_PKG_REPOSITORY")
        .strip_prefix("https://github.com/")
        .unwrap_or(ACTION_REPOSITORY)
}

/// The action as `uses` names it: by the commit of this program, or by the tag when the program does not know its commit.
fn action(place: &Place) -> String {
    let (repository, version) = (repository(), env!("CARGO_PKG_VERSION"));
    match &place.action_commit {
        Some(commit) => format!("{repository}@{commit} # v{version}"),
        None => format!(
            "{repository}@v{version} # zizmor: ignore[unpinned-uses] replace the tag by its commit when you have checked it"
        ),
    }
}

fn setup_steps(setup: &Setup, prefix: &str) -> String {
    let mut text = String::new();
    if let Some(python) = &setup.python {
        text.push_str(&toolchain(SETUP_PYTHON, "python", "3.13", python, prefix));
    }
    if let Some(node) = &setup.node {
        text.push_str(&toolchain(SETUP_NODE, "node", "24", node, prefix));
    }
    if setup.rust {
        text.push_str(&run("rustup show active-toolchain || rustup toolchain install", prefix));
    }
    if text.is_empty() {
        text = format!(
            "      # What your agent needs to run, for example:\n\
             \x20     # - uses: {SETUP_PYTHON}\n\
             \x20     #   with:\n\
             \x20     #     python-version: \"3.13\"\n\
             \x20     # - run: python -m pip install -r requirements.txt\n"
        );
    }
    text
}

fn toolchain(action: &str, name: &str, version: &str, toolchain: &Toolchain, prefix: &str) -> String {
    let version = match toolchain.version_file {
        Some(file) => format!("{name}-version-file: {prefix}{file}"),
        None => format!("{name}-version: \"{version}\""),
    };
    let install: String = toolchain.install.iter().map(|command| run(command, prefix)).collect();
    // No cache: what one job leaves there another with more rights would run.
    let cache = if name == "node" {
        "          package-manager-cache: false\n"
    } else {
        ""
    };
    format!("      - uses: {action}\n        with:\n          {version}\n{cache}{install}")
}

fn run(command: &str, prefix: &str) -> String {
    let folder = if prefix.is_empty() {
        String::new()
    } else {
        format!("        working-directory: {}\n", prefix.trim_end_matches('/'))
    };
    format!("      - run: {command}\n{folder}")
}

#[cfg(test)]
mod tests;
