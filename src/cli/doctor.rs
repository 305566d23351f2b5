//! `sprag doctor`: looks at everything that sprag needs, and says how to mend what is wrong.

use super::github::{self, GithubArgs};
use super::simulate::project_dir;
use super::{print, print_json, session};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::forge::{Forge, Repository};
use crate::model::{Purse, Tape};
use crate::project::{ProjectFile, ProjectFiles};
use crate::runner::Hold;
use crate::runner::check::{CheckRequest, check};
use serde::Serialize;
use sprag_core::config::{Config, ProposerKind, RunnerKind};
use sprag_core::model::{Message, ModelRequest, Prices};
use sprag_core::redact::Redactor;
use sprag_sandbox::Tier;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What sprag may do with its token, and what for.
const NEEDED: [(&str, &str, &str); 5] = [
    ("contents", "write", "keep its state on a branch and push changes"),
    ("issues", "write", "answer and label issues"),
    ("pull_requests", "write", "open pull requests"),
    ("checks", "write", "show what the gates measured"),
    ("actions", "read", "read the artifacts of workflows"),
];

/// The workflows that `sprag init` writes.
const WORKFLOWS: [&str; 2] = [".github/workflows/sprag.yml", ".github/workflows/sprag-gate.yml"];

/// Checks configuration, runner, workflows, token, permissions, labels and branch protection, and says how to mend what is wrong.
///
/// Exit code 0 when nothing is broken (warnings do not count), 3 when something is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look only at this machine, not at GitHub or a model
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    github: GithubArgs,
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    Warning,
    Broken,
}

/// One thing that was looked at, how it is, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    health: Health,
    what: &'static str,
    is: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

fn good(what: &'static str, is: impl Into<String>) -> Finding {
    Finding {
        health: Health::Good,
        what,
        is: is.into(),
        fix: String::new(),
    }
}

fn warning(what: &'static str, is: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding {
        health: Health::Warning,
        fix: fix.into(),
        ..good(what, is)
    }
}

fn broken(what: &'static str, is: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding {
        health: Health::Broken,
        ..warning(what, is, fix)
    }
}

fn told(what: &'static str, error: impl Into<CommandError>) -> Finding {
    let error = error.into();
    broken(what, error.message, error.hints.join("; "))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.health {
            Health::Good => "ok  ",
            Health::Warning => "warn",
            Health::Broken => "bad ",
        };
        let is = self.is.trim_end().replace('\n', "\n                   ");
        write!(f, "{mark}  {:<12} {is}", self.what)?;
        if self.fix.is_empty() {
            return Ok(());
        }
        write!(f, "\n                   fix: {}", self.fix)
    }
}

pub(super) async fn doctor(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let mut found = Vec::new();
    let config = match session::load_config(&args.config) {
        Ok(config) => {
            found.push(good("config", format!("{} has no mistake", args.config.display())));
            found.extend(project(&args, &config).await?);
            Some(config)
        }
        Err(error) => {
            found.push(told("config", error));
            None
        }
    };
    if let Some(config) = config.as_ref().filter(|_| !args.local) {
        found.extend(agent_models(config));
        found.extend(model(config).await);
    }
    if !args.local {
        found.extend(on_github(&args, config.as_ref(), job).await);
    }
    let n_broken = found.iter().filter(|finding| finding.health == Health::Broken).count();
    if args.json {
        print_json(&serde_json::json!({"broken": n_broken, "findings": found}))?;
    } else {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        let verdict = match n_broken {
            0 => "nothing is broken".to_owned(),
            1 => "one thing is broken".to_owned(),
            n => format!("{n} things are broken"),
        };
        print(&format!("{}\n\n{verdict}", lines.join("\n")))?;
    }
    Ok(if n_broken == 0 {
        ExitCode::SUCCESS
    } else {
        Exit::Config.into()
    })
}

/// What foreign code may ask models, if it may ask any.
fn agent_models(config: &Config) -> Vec<Finding> {
    let tables = [
        ("runner.model", &config.runner.model),
        ("proposer.model", &config.proposer.model),
    ];
    let there = tables
        .into_iter()
        .filter_map(|(name, model)| Some((name, model.as_ref()?)));
    there
        .map(|(name, model)| {
            let names = format!("{} of {}", model.names.join(", "), model.provider.word());
            let shipped = Prices::shipped();
            let unpriced = model.names.iter().any(|one| shipped.of(model.provider, one).is_none());
            if unpriced && model.price.is_none() && model.max_tokens.is_none() {
                let what = format!("{names}: nobody knows what it costs, and nothing bounds the tokens of a run");
                return warning(name, what, format!("set `{name}.prices` or `{name}.max_tokens`"));
            }
            good(name, format!("{names}; the key stays with sprag"))
        })
        .collect()
}

/// Asks the model for a word, if there is one.
async fn model(config: &Config) -> Vec<Finding> {
    let Some(model) = &config.model else { return Vec::new() };
    let env = |name: &str| std::env::var(name).ok();
    let purse = Purse::new(config.budget.usd);
    let opened = crate::model::open(model, &Tape::Off, Redactor::default(), purse.clone(), env);
    let asked = match opened {
        Ok(opened) => {
            let request = ModelRequest {
                model: model.name.clone(),
                messages: vec![Message::User {
                    text: "Answer with the word: ready".to_owned(),
                }],
                max_output_tokens: model.max_output_tokens,
                temperature: model.temperature,
                ..ModelRequest::default()
            };
            opened.complete(&request).await
        }
        Err(error) => Err(error),
    };
    let name = format!("{} of {}", model.name, model.provider.word());
    let answers = match asked {
        Ok(_) => good("model", format!("{name} answers")),
        Err(error) => told("model", error),
    };
    let known = Prices::shipped().of(model.provider, &model.name);
    let price = match (model.price, known) {
        (Some(price), _) => good(
            "price",
            format!(
                "${} and ${} a million tokens, by [model.prices]",
                price.input, price.output
            ),
        ),
        (None, Some((price, source))) => good(
            "price",
            format!("${} and ${} a million tokens, by {source}", price.input, price.output),
        ),
        (None, None) => warning(
            "price",
            format!("nobody told what {name} costs, so `budget.usd` cannot hold it"),
            "write prices = { input = …, output = … } into [model], in US dollars per million tokens",
        ),
    };
    vec![answers, price]
}

/// What can be told from the project alone.
async fn project(args: &Args, config: &Config) -> Result<Vec<Finding>, CommandError> {
    let dir = project_dir(&args.config)?;
    let files = match github::workspace(&dir).and_then(|workspace| Ok(workspace.files()?)) {
        Ok(files) => files,
        Err(error) => return Ok(vec![told("repository", error)]),
    };
    let mut found = vec![match github::suite(&files) {
        Ok(suite) => good("suite", format!("{} cases in .sprag/suite", suite.len())),
        Err(error) => told("suite", error),
    }];
    found.extend(workflows(&files, config));
    let project = session::project(files, &config.harness, &config.runner.command)?.files;
    found.push(match project.harness.files().count() {
        0 => broken(
            "harness",
            format!("{} match no committed text file", config.harness.paths.join(", ")),
            "correct `harness.paths` in sprag.toml, and commit the files",
        ),
        n => good("harness", format!("{n} files may be changed")),
    });
    found.push(proposer(config));
    match session::hold(config, &dir) {
        Ok(hold) => {
            found.push(sandbox(hold.tier()));
            found.push(runner(&dir, config, project, &hold).await?);
        }
        Err(error) => found.push(told("sandbox", error)),
    }
    Ok(found)
}

fn workflows(files: &[ProjectFile], config: &Config) -> Vec<Finding> {
    let there = |path: &str| files.iter().any(|file| file.path == path);
    let missing = WORKFLOWS.into_iter().filter(|path| !there(path));
    let mut found: Vec<Finding> = missing
        .map(|path| {
            warning(
                "workflows",
                format!("there is no {path}"),
                "write it with `sprag init`, and commit it",
            )
        })
        .collect();
    let file_of = |name: &str| format!(".github/workflows/{}", name.rsplit('/').next().unwrap_or(name));
    let unknown = config.signals.workflows.iter().filter(|name| !there(&file_of(name)));
    found.extend(unknown.map(|name| {
        broken(
            "workflows",
            format!("`signals.workflows` names {name}, which is not in .github/workflows"),
            "correct the name in sprag.toml: without it no artifact is read",
        )
    }));
    if found.is_empty() {
        found.push(good("workflows", "all there"));
    }
    found
}

fn proposer(config: &Config) -> Finding {
    if config.proposer.kind == ProposerKind::Recipes && config.recipes.is_empty() {
        return warning(
            "proposer",
            "there is no [[recipe]], so failures are mined and clustered, and nothing is proposed",
            "docs/config.md shows recipes",
        );
    }
    let told = match config.proposer.kind {
        ProposerKind::Recipes => format!("{} recipes; no model is needed", config.recipes.len()),
        ProposerKind::Model => "the model of [model] edits the harness".to_owned(),
        ProposerKind::Command => format!("a coding agent: {}", config.proposer.command.join(" ")),
    };
    good("proposer", told)
}

fn sandbox(tier: Tier) -> Finding {
    match tier {
        Tier::None => warning(
            "sandbox",
            "none, as sprag.toml says: the code of others runs with all of your rights",
            "take `tier = \"none\"` out of [sandbox]",
        ),
        tier => good(
            "sandbox",
            format!("tier {tier}; every way out that is known was tried just now, and held"),
        ),
    }
}

async fn runner(dir: &Path, config: &Config, files: ProjectFiles, hold: &Hold) -> Result<Finding, CommandError> {
    if config.runner.kind == RunnerKind::Command {
        return Ok(good("runner", "a command; it shows what it does when it runs"));
    }
    let proxy = match session::proxy(config.runner.model.as_ref(), config, &Tape::Off) {
        Ok(proxy) => proxy,
        Err(error) => return Ok(told("runner", error)),
    };
    let scratch = tempfile::tempdir()?;
    let report = check(CheckRequest {
        command: session::expand(&config.runner.command, dir)?,
        project_dir: dir.to_owned(),
        files,
        env_pass: config.runner.env.clone(),
        hold: hold.clone(),
        scratch: scratch.path().to_owned(),
        limit: Duration::from_secs(30),
        shutdown_limit: Duration::from_secs(5),
        proxy,
    })
    .await?;
    Ok(match report.n_problems() {
        0 => good("runner", "the worker answers as it should"),
        n => broken(
            "runner",
            format!("the worker has {n} problem(s)"),
            "run `sprag worker check`: it names them",
        ),
    })
}

/// What GitHub says. Whatever cannot be asked is said, and the rest is asked all the same.
async fn on_github(args: &Args, config: Option<&Config>, job: &Job) -> Vec<Finding> {
    let forge = match args.github.forge() {
        Ok(forge) => forge,
        Err(error) => return vec![told("token", error)],
    };
    let repository = match forge.repository().await {
        Ok(repository) => repository,
        Err(error) => return vec![told("token", error)],
    };
    let mut found = vec![good("token", format!("reads {}", repository.html_url))];
    found.push(if repository.private {
        good("privacy", "the state branch is as private as the repository")
    } else {
        warning(
            "privacy",
            "the repository is public, and so is the state branch with what failures quote",
            "keep the agent's traces free of what nobody may read, or work in a private repository",
        )
    });
    match forge.granted().await {
        Ok(granted) => found.extend(permissions(&granted, &repository)),
        Err(error) => found.push(told("permissions", error)),
    }
    if let Some(config) = config {
        found.extend(labels(&forge, &config.signals.issue_labels).await);
    }
    found.push(protection(&forge, &repository.default_branch).await);
    found.push(facts(args, &forge, job).await);
    found
}

/// A token of an App says what it may do; of another one only pushing is known.
fn permissions(granted: &BTreeMap<String, String>, repository: &Repository) -> Vec<Finding> {
    if granted.is_empty() {
        return vec![match repository.permissions.get("push") {
            Some(false) => broken(
                "permissions",
                "the token may not push",
                "give the job `contents: write`, or use a token that may",
            ),
            _ => good("permissions", "those of the token; a job's `permissions:` say which"),
        }];
    }
    let rank = |level: &str| ["read", "write", "admin"].iter().position(|known| *known == level);
    let lacking = NEEDED.iter().filter(|(name, level, _)| {
        let has = granted.get(*name).and_then(|level| rank(level));
        has.is_none_or(|has| Some(has) < rank(level))
    });
    let found: Vec<Finding> = lacking
        .map(|(name, level, what_for)| {
            broken(
                "permissions",
                format!("the App lacks `{name}: {level}`, which it needs to {what_for}"),
                "grant it in the App's settings, and accept it where the App is installed",
            )
        })
        .collect();
    match found.is_empty() {
        true => vec![good("permissions", "all that sprag needs")],
        false => found,
    }
}

async fn labels(forge: &Forge, wanted: &[String]) -> Vec<Finding> {
    let there = match forge.labels().await {
        Ok(there) => there,
        Err(error) => return vec![told("labels", error)],
    };
    let missing = wanted.iter().filter(|label| !there.contains(label));
    let found: Vec<Finding> = missing
        .map(|label| {
            warning(
                "labels",
                format!("there is no label `{label}`, so no issue can have it"),
                "run `sprag sync`, which makes it",
            )
        })
        .collect();
    match found.is_empty() {
        true => vec![good("labels", wanted.join(", "))],
        false => found,
    }
}

async fn protection(forge: &Forge, default: &str) -> Finding {
    let branch = match forge.branch(default).await {
        Ok(branch) => branch,
        Err(error) => return told("protection", error),
    };
    let required = |name: &str| branch.required_checks.iter().any(|check| check == name);
    if required("sprag / regression") && required("sprag / validation") {
        return good("protection", format!("`{default}` asks for both gates"));
    }
    warning(
        "protection",
        format!("`{default}` does not require the gates, so a change can be merged past them"),
        "require `sprag / regression` and `sprag / validation` under Settings, Branches",
    )
}

async fn facts(args: &Args, forge: &Forge, job: &Job) -> Finding {
    let opened = async {
        let scratch = tempfile::tempdir()?;
        let quiet = session::progress(true);
        let notebook = args.github.notebook(forge, scratch.path(), job, &quiet).await?;
        Ok::<_, CommandError>(notebook.book().issues.len())
    };
    match opened.await {
        Ok(issues) => good(
            "facts",
            format!("the state branch can be read; it knows {issues} issues"),
        ),
        Err(error) => told("facts", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(push: bool) -> Repository {
        Repository {
            id: 1,
            html_url: String::new(),
            default_branch: "main".to_owned(),
            private: true,
            permissions: BTreeMap::from([("push".to_owned(), push)]),
        }
    }

    #[test]
    fn each_permission_that_an_app_lacks_is_named_with_what_it_is_for() {
        let all: BTreeMap<String, String> = NEEDED
            .map(|(name, level, _)| (name.to_owned(), level.to_owned()))
            .into();
        assert_eq!(permissions(&all, &repository(true))[0].health, Health::Good);
        let mut less = all;
        less.insert("contents".to_owned(), "read".to_owned());
        less.remove("actions");
        let lines: Vec<String> = permissions(&less, &repository(true))
            .iter()
            .map(ToString::to_string)
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        bad   permissions  the App lacks `contents: write`, which it needs to keep its state on a branch and push changes
                           fix: grant it in the App's settings, and accept it where the App is installed
        bad   permissions  the App lacks `actions: read`, which it needs to read the artifacts of workflows
                           fix: grant it in the App's settings, and accept it where the App is installed
        ");
    }

    #[test]
    fn a_plain_token_must_at_least_push() {
        let plain = |push| permissions(&BTreeMap::new(), &repository(push))[0].health;
        assert_eq!((plain(true), plain(false)), (Health::Good, Health::Broken));
    }
}
