//! `sprag init`: shows what a project needs, and writes it.

use super::session;
use crate::error::{CommandError, Exit};
use crate::init::ask::Person;
use crate::init::detect::{self, Detected};
use crate::init::files::{self, Place};
use crate::init::write::{self, Change, Written};
use crate::init::{Choices, RunnerChoice, TraceWorkflow};
use crate::project::ProjectFile;
use crate::workspace::{Workspace, files_of_folder};
use fs_err as fs;
use sprag_core::config::HarnessConfig;
use sprag_core::model::Provider;
use std::io::{self, BufRead, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

/// Sets a project up: sprag.toml, two workflows, an issue form, and a worker where there is nothing to run yet.
///
/// Looks at the project, asks at most four questions, shows every file before it writes one, and leaves what is there as it is unless you say
/// otherwise. A second time it has nothing to do.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// Take what is detected; ask nothing, and overwrite nothing
    #[arg(long)]
    pub yes: bool,
    /// The root of the project
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    /// Write a worker to fill in, whatever else there is to run
    #[arg(long, value_name = "LANGUAGE")]
    pub worker: Option<Language>,
}

/// A language that there is a worker template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Python 3.8 or later, standard library only
    Python,
}

/// Runs the command on the terminal.
pub(super) fn on_terminal(args: &InitArgs) -> Result<(), CommandError> {
    if !args.yes && !io::stdin().is_terminal() {
        return Err(CommandError::new(
            Exit::Usage,
            "there is no terminal to ask on",
            "add `--yes` to take what is detected",
        ));
    }
    init(args, &mut io::stdin().lock(), &mut io::stdout().lock()).map(drop)
}

/// Everything that is told goes to `output`; answers are read from `input`, unless `--yes` was given.
///
/// # Errors
/// When the project cannot be read, its `sprag.toml` has mistakes, or a file cannot be written.
pub fn init(args: &InitArgs, input: &mut dyn BufRead, output: &mut dyn Write) -> Result<Written, CommandError> {
    let (root, prefix) = root_of(&args.dir)?;
    let project = files_of_folder(&args.dir)?;
    let repository = workflows_of(&root)?;
    let detected = detect::detect(&project, &repository);
    let mut choices = choices(args, &project, &detected)?;
    told(&args.dir, &choices, &detected, output)?;
    let configured = choices.runner == RunnerChoice::AsConfigured;
    if !args.yes && !configured {
        choices = Person {
            input: &mut *input,
            output: &mut *output,
        }
        .choose(&detected, choices)?;
    }
    let place = Place {
        prefix,
        action_commit: option_env!("SPRAG_COMMIT").map(str::to_owned),
    };
    let changes = write::changes(&root, files::files(&choices, &detected.setup, &place))?;
    if changes.is_empty() {
        writeln!(output, "nothing to do: everything is there")?;
        return Ok(Written::default());
    }
    for change in &changes {
        writeln!(output, "{}", write::shown(change))?;
    }
    let new = changes.iter().filter(|change| matches!(change, Change::New(_))).count();
    let mut person = (!args.yes).then_some(Person {
        input: &mut *input,
        output: &mut *output,
    });
    if let Some(person) = &mut person
        && new > 0
        && !person.agrees(&format!("Write the {new} new files?"), true)?
    {
        writeln!(output, "nothing was written")?;
        return Ok(Written::default());
    }
    let written = write::write(&root, changes, &mut person)?;
    report(&written, &choices, output)?;
    Ok(written)
}

/// The root of the repository around `dir`, and the way from there to `dir`; `dir` itself outside of a repository.
fn root_of(dir: &Path) -> io::Result<(PathBuf, String)> {
    let dir = fs::canonicalize(dir)?;
    let root = dir.ancestors().find(|folder| folder.join(".git").exists());
    let root = root.map_or_else(|| dir.clone(), Path::to_owned);
    let prefix = dir
        .strip_prefix(&root)
        .unwrap_or(&dir)
        .to_string_lossy()
        .replace('\\', "/");
    let prefix = if prefix.is_empty() {
        prefix
    } else {
        format!("{prefix}/")
    };
    Ok((root, prefix))
}

/// The workflows of a repository, by path from its root.
fn workflows_of(root: &Path) -> Result<Vec<ProjectFile>, CommandError> {
    let folder = root.join(".github/workflows");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = files_of_folder(&folder)?;
    for file in &mut files {
        file.path.insert_str(0, ".github/workflows/");
    }
    Ok(files)
}

/// What the files are made of when nobody says otherwise: what is configured, else what is detected.
fn choices(args: &InitArgs, project: &[ProjectFile], detected: &Detected) -> Result<Choices, CommandError> {
    if project.iter().any(|file| file.path == "sprag.toml") {
        let config = session::load_config(&args.dir.join("sprag.toml"))?;
        let name = |file: &String| TraceWorkflow {
            file: file.clone(),
            name: detected.workflow_names.get(file).unwrap_or(file).clone(),
        };
        return Ok(Choices {
            harness: config.harness.paths,
            runner: if args.worker.is_some() {
                RunnerChoice::Template
            } else {
                RunnerChoice::AsConfigured
            },
            github_models: config
                .model
                .is_some_and(|model| model.provider == Provider::GithubModels),
            labels: config.signals.issue_labels,
            workflows: config.signals.workflows.iter().map(name).collect(),
            artifacts: config.signals.artifacts,
        });
    }
    let runner = match args.worker {
        Some(Language::Python) => RunnerChoice::Template,
        None => detected.runners.first().cloned().unwrap_or(RunnerChoice::Template),
    };
    let harness = if detected.harness.is_empty() {
        HarnessConfig::default().paths
    } else {
        detected.harness.clone()
    };
    Ok(Choices {
        harness,
        runner,
        github_models: false,
        labels: session::parse_config("sprag.toml", "")?.signals.issue_labels,
        artifacts: detected.artifacts.clone(),
        workflows: detected.workflows.clone(),
    })
}

/// What was found, before anything is asked.
fn told(dir: &Path, choices: &Choices, detected: &Detected, output: &mut dyn Write) -> io::Result<()> {
    let repository = match Workspace::open(dir).and_then(|workspace| workspace.head_branch()) {
        Ok(branch) => format!("git, on branch {branch}"),
        Err(_) => "no git repository with a commit; sprag needs one to work".to_owned(),
    };
    let artifacts = if choices.artifacts.is_empty() {
        "none".to_owned()
    } else {
        choices.artifacts.join(", ")
    };
    let setup = &detected.setup;
    let toolchains = [
        ("Python", setup.python.is_some()),
        ("Node", setup.node.is_some()),
        ("Rust", setup.rust),
    ];
    let toolchains: Vec<&str> = toolchains
        .iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect();
    let toolchains = if toolchains.is_empty() {
        "none".to_owned()
    } else {
        toolchains.join(", ")
    };
    writeln!(
        output,
        "repository  {repository}\nharness     {}\nrunner      {}\ntraces      {artifacts}\ntoolchains  {toolchains}\n",
        choices.harness.join(", "),
        choices.runner.title(),
    )
}

fn report(written: &Written, choices: &Choices, output: &mut dyn Write) -> io::Result<()> {
    for path in &written.written {
        writeln!(output, "wrote {path}")?;
    }
    for path in &written.kept {
        writeln!(output, "kept  {path}: it was there already, and is as it was")?;
    }
    if written.written.is_empty() {
        return Ok(());
    }
    let worker = match choices.runner {
        RunnerChoice::Template => {
            "Put your agent into evals/worker.py, then run `sprag worker check`: it says what is still wrong."
        }
        RunnerChoice::Command(_) => {
            "Look at the two lists of tasks in sprag.toml, then try it here: `sprag run --local --dry-run`."
        }
        RunnerChoice::Worker(_) | RunnerChoice::AsConfigured => {
            "Run `sprag worker check`: it says whether sprag can run your agent."
        }
    };
    write!(
        output,
        "\nNext:\n\
         1. {worker}\n\
         2. Run `sprag app create` for an App of your own, or let GitHub Actions create pull requests (Settings, Actions, General).\n\
         3. Commit the files to the default branch, and label an issue `{}`.\n",
        choices.labels.first().map_or("agent-failure", String::as_str)
    )
}

#[cfg(test)]
mod tests;
