//! What can be seen of a project without asking: its harness, its runner, the workflows that keep traces, and what its toolchain needs.

use super::{RunnerChoice, TestSet, TraceWorkflow};
use crate::project::ProjectFile;
use regex::Regex;
use sprag_core::config::ReportKind;
use std::collections::{BTreeMap, BTreeSet};

/// Folders that are the harness wherever they stand.
const HARNESS_FOLDERS: [&str; 4] = ["agent", "agents", "prompts", "harness"];
/// Endings of files that are prompts wherever they stand.
const PROMPT_ENDINGS: [&str; 4] = [".prompt.md", ".prompt.yml", ".prompt.yaml", ".prompty"];
/// Folders whose files judge or deploy the agent, so that they are no harness.
const NOT_HARNESS: [&str; 8] = [
    ".github",
    "evals",
    "eval",
    "tests",
    "test",
    "docs",
    "examples",
    "node_modules",
];
/// What the name of an artifact with traces has in it.
const TRACE_WORDS: [&str; 6] = ["trace", "transcript", "trajector", "conversation", "agent", "eval"];

/// What a project looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    /// Globs of the harness; empty when none was found.
    pub harness: Vec<String>,
    /// Ways to run the agent, the likeliest first; a template when nothing else is there.
    pub runners: Vec<RunnerChoice>,
    /// Patterns of the names of artifacts with traces.
    pub artifacts: Vec<String>,
    /// The workflows that upload them.
    pub workflows: Vec<TraceWorkflow>,
    /// The names of all workflows by their files.
    pub workflow_names: BTreeMap<String, String>,
    /// What a job has to install before the agent runs.
    pub setup: Setup,
}

/// What a job has to install before the agent runs: the commands, by toolchain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// Python: where its version stands, if anywhere, and the commands that install the packages.
    pub python: Option<Toolchain>,
    /// Node, likewise.
    pub node: Option<Toolchain>,
    /// Whether the project builds with cargo.
    pub rust: bool,
}

/// One toolchain of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// The file that names the version.
    pub version_file: Option<&'static str>,
    /// The commands that install the packages.
    pub install: Vec<&'static str>,
}

/// Looks at the files of a project (paths from its root) and at the workflows of its repository (paths from the repository's root).
pub fn detect(project: &[ProjectFile], repository: &[ProjectFile]) -> Detected {
    let files = Files(project);
    let setup = setup(&files);
    let uploads: Vec<Upload> = repository.iter().filter_map(upload_of).collect();
    let patterns: BTreeSet<String> = uploads.iter().flat_map(|upload| upload.artifacts.clone()).collect();
    Detected {
        harness: harness(project),
        runners: runners(&files),
        artifacts: patterns.into_iter().collect(),
        workflow_names: uploads
            .iter()
            .map(|upload| (upload.workflow.file.clone(), upload.workflow.name.clone()))
            .collect(),
        workflows: uploads
            .into_iter()
            .filter(|upload| !upload.artifacts.is_empty())
            .map(|upload| upload.workflow)
            .collect(),
        setup,
    }
}

/// The files of a project, to ask for.
struct Files<'a>(&'a [ProjectFile]);

impl Files<'_> {
    fn has(&self, path: &str) -> bool {
        self.0.iter().any(|file| file.path == path)
    }

    fn text(&self, path: &str) -> Option<&str> {
        let file = self.0.iter().find(|file| file.path == path)?;
        std::str::from_utf8(&file.bytes).ok()
    }

    fn first(&self, paths: &[&'static str]) -> Option<&'static str> {
        paths.iter().copied().find(|path| self.has(path))
    }

    /// Files with this ending in folders of evaluations, with their text.
    fn evals(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |file| {
            let (folder, _) = file.path.rsplit_once('/')?;
            let evals = folder.split('/').any(|part| matches!(part, "evals" | "eval"));
            let text = std::str::from_utf8(&file.bytes).ok()?;
            (evals && file.path.ends_with(ending)).then_some((file.path.as_str(), text))
        })
    }
}

fn harness(project: &[ProjectFile]) -> Vec<String> {
    let mut globs = BTreeSet::new();
    for file in project {
        let folders: Vec<&str> = file.path.split('/').collect();
        let (name, folders) = folders.split_last().map_or(("", &[][..]), |(name, rest)| (*name, rest));
        if folders.iter().any(|folder| NOT_HARNESS.contains(folder)) {
            continue;
        }
        // Deeper than `src/app/prompts` it is more likely a library's than the agent's.
        let at = folders
            .iter()
            .take(3)
            .position(|folder| HARNESS_FOLDERS.contains(folder));
        if let Some(at) = at {
            globs.insert(format!("{}/**", folders[..=at].join("/")));
        } else if let Some(ending) = PROMPT_ENDINGS.iter().find(|ending| name.ends_with(**ending)) {
            globs.insert(format!("**/*{ending}"));
        }
    }
    globs.into_iter().collect()
}

fn runners(files: &Files<'_>) -> Vec<RunnerChoice> {
    let python: &[&str] = if files.has("uv.lock") {
        &["uv", "run", "python"]
    } else {
        &["python3"]
    };
    let mut found = Vec::new();
    found.extend(worker(files, python).map(RunnerChoice::Worker));
    let sets = [pytest(files, python), inspect(files), promptfoo(files)];
    found.extend(sets.into_iter().flatten().map(RunnerChoice::Command));
    found.push(RunnerChoice::Template);
    found
}

fn command(words: &[&str], rest: &[&str]) -> Vec<String> {
    words.iter().chain(rest).map(|word| (*word).to_owned()).collect()
}

/// A worker is known by the helper that it uses, or by its name.
fn worker(files: &Files<'_>, python: &[&str]) -> Option<Vec<String>> {
    let imports = |text: &str| {
        text.lines()
            .any(|line| line.starts_with("from sprag_worker import") || line.starts_with("import sprag_worker"))
    };
    let by_use = files
        .0
        .iter()
        .filter(|file| file.path.ends_with(".py"))
        .find(|file| std::str::from_utf8(&file.bytes).is_ok_and(imports))
        .map(|file| file.path.as_str());
    let by_name = ["evals/worker.py", "eval/worker.py", "worker.py"];
    if let Some(path) = by_use.or_else(|| files.first(&by_name)) {
        return Some(command(python, &[path]));
    }
    let node = files.first(&[
        "evals/worker.mjs",
        "evals/worker.js",
        "eval/worker.mjs",
        "eval/worker.js",
    ]);
    node.map(|path| command(&["node"], &[path]))
}

/// Every third task is held out, so that both parts have something of each file; `None` for fewer than two tasks.
fn test_set(title: String, command: Vec<String>, report: ReportKind, tasks: Vec<String>) -> Option<TestSet> {
    let n = tasks.len();
    let held_out = |index: usize| index % 3 == 2 || (n == 2 && index == 1);
    let (validation, train): (Vec<_>, Vec<_>) = tasks.into_iter().enumerate().partition(|(index, _)| held_out(*index));
    let ids = |part: Vec<(usize, String)>| part.into_iter().map(|(_, id)| id).collect();
    (n >= 2).then(|| TestSet {
        title,
        command,
        report,
        train: ids(train),
        validation: ids(validation),
    })
}

/// What the first group of `pattern` takes, in order, each once.
fn all(pattern: &str, text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if let Ok(pattern) = Regex::new(pattern) {
        for capture in pattern.captures_iter(text) {
            let one = capture[1].to_owned();
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

fn pytest(files: &Files<'_>, python: &[&str]) -> Option<TestSet> {
    let mut tasks = Vec::new();
    for (path, text) in files.evals(".py") {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with("test_") || name.ends_with("_test.py") {
            let tests = all(r"(?m)^(?:async )?def (test_\w+)\(", text);
            tasks.extend(tests.into_iter().map(|test| format!("{path}::{test}")));
        }
    }
    let command = command(python, &["-m", "pytest", "{task}", "--junitxml={out}"]);
    test_set("pytest".to_owned(), command, ReportKind::Junit, tasks)
}

fn inspect(files: &Files<'_>) -> Option<TestSet> {
    let mut tasks = Vec::new();
    for file in files.0.iter().filter(|file| file.path.ends_with(".py")) {
        let text = std::str::from_utf8(&file.bytes).unwrap_or_default();
        if text.contains("inspect_ai") {
            let names = all(r"(?m)^@task(?:\(.*\))?\s*\ndef (\w+)\(", text);
            tasks.extend(names.into_iter().map(|name| format!("{}@{name}", file.path)));
        }
    }
    // Inspect names its log itself, so it gets a folder and the one log in it is the report.
    let script = r#"inspect eval "$1" --log-format json --log-dir "$2.logs" && cat "$2.logs"/*.json > "$2""#;
    let command = command(&["sh", "-c"], &[script, "sh", "{task}", "{out}"]);
    test_set("Inspect".to_owned(), command, ReportKind::Inspect, tasks)
}

fn promptfoo(files: &Files<'_>) -> Option<TestSet> {
    let config = files.first(&[
        "promptfooconfig.yaml",
        "promptfooconfig.yml",
        "evals/promptfooconfig.yaml",
        "evals/promptfooconfig.yml",
    ])?;
    let tests = files.text(config)?.split_once("\ntests:")?.1;
    // The description picks the test by a pattern, so one that is a pattern itself cannot be used.
    let tasks = all(r#"(?m)^\s+(?:- )?description:\s*["']?([\w ,:;/'-]*\w)["']?\s*$"#, tests);
    // promptfoo goes by the ending of the file, and ends with 100 when a test fails.
    let script = format!(
        r#"npx promptfoo eval -c {config} --no-cache --filter-pattern "^$1\$" --output "$2.json"; mv "$2.json" "$2""#
    );
    let command = command(&["sh", "-c"], &[&script, "sh", "{task}", "{out}"]);
    test_set("promptfoo".to_owned(), command, ReportKind::Promptfoo, tasks)
}

fn setup(files: &Files<'_>) -> Setup {
    let python = if files.has("uv.lock") {
        Some(vec!["python -m pip install uv", "uv sync --frozen"])
    } else if files.has("poetry.lock") {
        Some(vec!["python -m pip install poetry", "poetry install"])
    } else if files.has("requirements.txt") {
        Some(vec!["python -m pip install -r requirements.txt"])
    } else if files.has("pyproject.toml") || files.has("setup.py") {
        Some(vec!["python -m pip install ."])
    } else {
        None
    };
    let node = if files.has("pnpm-lock.yaml") {
        Some(vec!["corepack enable", "pnpm install --frozen-lockfile"])
    } else if files.has("yarn.lock") {
        Some(vec!["corepack enable", "yarn install --immutable"])
    } else if files.has("package-lock.json") {
        Some(vec!["npm ci"])
    } else {
        files.has("package.json").then(|| vec!["npm install"])
    };
    Setup {
        python: python.map(|install| Toolchain {
            version_file: files.first(&[".python-version"]),
            install,
        }),
        node: node.map(|install| Toolchain {
            version_file: files.first(&[".nvmrc", ".node-version"]),
            install,
        }),
        rust: files.has("Cargo.toml"),
    }
}

/// A workflow with the names of the artifacts that it uploads and that look like traces.
struct Upload {
    workflow: TraceWorkflow,
    artifacts: Vec<String>,
}

/// Reads a workflow line by line: enough for the names of uploads, and no mistake in a file stops it.
fn upload_of(file: &ProjectFile) -> Option<Upload> {
    let name = file.path.strip_prefix(".github/workflows/")?;
    let ours = super::files::WORKFLOWS.contains(&file.path.as_str());
    if ours || name.contains('/') || !(name.ends_with(".yml") || name.ends_with(".yaml")) {
        return None;
    }
    let text = std::str::from_utf8(&file.bytes).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let title = lines.iter().find_map(|line| line.strip_prefix("name:")).map(scalar);
    let mut artifacts: Vec<String> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.contains("uses:") && line.contains("actions/upload-artifact@") {
            artifacts.extend(upload_name(step(&lines, at)).map(|name| pattern(&name)));
        }
    }
    artifacts.retain(|name| {
        let name = name.to_lowercase();
        TRACE_WORDS.iter().any(|word| name.contains(word))
    });
    Some(Upload {
        workflow: TraceWorkflow {
            file: name.to_owned(),
            // What GitHub calls a workflow without a name.
            name: title
                .filter(|title| !title.is_empty())
                .unwrap_or_else(|| file.path.clone()),
        },
        artifacts,
    })
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The lines of the step that line `at` is in.
fn step<'a>(lines: &'a [&'a str], at: usize) -> &'a [&'a str] {
    let dash = |line: &str| line.trim_start().starts_with("- ");
    let begin = (0..=at)
        .rev()
        .find(|index| dash(lines[*index]) && (*index == at || indent(lines[*index]) < indent(lines[at])))
        .unwrap_or(at);
    let end = (at + 1..lines.len())
        .find(|index| !lines[*index].trim().is_empty() && indent(lines[*index]) <= indent(lines[begin]))
        .unwrap_or(lines.len());
    &lines[begin..end]
}

/// `name` of a step's `with`; what stands before `with` is the step's own name.
fn upload_name(step: &[&str]) -> Option<String> {
    let with = step
        .iter()
        .position(|line| line.trim_start().trim_start_matches("- ").starts_with("with:"))?;
    let inside = step[with + 1..]
        .iter()
        .take_while(|line| indent(line) > indent(step[with]) || line.trim().is_empty());
    inside
        .filter_map(|line| line.trim_start().strip_prefix("name:"))
        .map(scalar)
        .next()
}

/// A scalar of YAML without its quotes or the comment behind it.
fn scalar(text: &str) -> String {
    let text = text.trim();
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].split(quote).next().unwrap_or_default().to_owned(),
        _ => text.split(" #").next().unwrap_or_default().trim().to_owned(),
    }
}

/// A name with expressions, as a pattern of the names that it can become.
fn pattern(name: &str) -> String {
    Regex::new(r"\$\{\{.*?\}\}").map_or_else(
        |_| name.to_owned(),
        |expression| expression.replace_all(name, "*").into_owned(),
    )
}

#[cfg(test)]
mod tests;
