//! `sprag test`: the sealed test split, opened by a person, once a release.

use super::github;
use super::model::ModelArgs;
use super::session::{self, Session, now};
use super::simulate::project_dir;
use super::source::SourceArgs;
use super::{print, print_json};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::flow::sealed;
use crate::workspace::Workspace;
use serde::Serialize;
use sprag_core::config::Config;
use sprag_core::harness::Harness;
use sprag_core::render;
use sprag_core::score::Sealed;
use std::path::PathBuf;
use std::process::ExitCode;

/// Opens the sealed test split for a release: measures HEAD on tasks that no run, gate or proposer has ever asked, and keeps what they said.
///
/// A split that is asked again and again is a validation set, so each release is measured once; asked again, the same report is printed. How often
/// the split was opened is part of it. The runner must list tasks for the split `test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the release is called
    #[arg(long, value_name = "NAME")]
    release: String,
    /// Hold it against this commit too, such as the last release
    #[arg(long, value_name = "COMMIT")]
    against: Option<String>,
    /// The project's configuration; its folder is the project
    #[arg(long, env = "SPRAG_CONFIG", default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    release: &'a str,
    opened_at: &'a str,
    opened_in_all: usize,
    score: Option<f64>,
    #[serde(flatten)]
    sealed: &'a Sealed,
}

pub(super) async fn test(args: Args, job: &Job) -> Result<ExitCode, CommandError> {
    let mut opened = args.source.opened(job).await?;
    if !opened.contains_key(&args.release) {
        let sealed = args.open().await?;
        if !sealed.card.complete() {
            return Err(CommandError::new(
                Exit::Outside,
                format!(
                    "{} of {} runs of the sealed test ended without a verdict, also after retries",
                    sealed.card.errored,
                    sealed.card.total()
                ),
                "nothing was noted and nothing is shown; mend the runner or raise the budget, and run this again: what was measured is kept",
            ));
        }
        args.source.open(job, &args.release, sealed.clone()).await?;
        opened.insert(args.release.clone(), (now(), sealed));
    }
    let (at, sealed) = &opened[&args.release];
    if args.json {
        print_json(&Printed {
            release: &args.release,
            opened_at: at,
            opened_in_all: opened.len(),
            score: sealed.card.score(),
            sealed,
        })?;
    } else {
        print(&render::sealed::sealed(&args.release, at, sealed, opened.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    async fn open(&self) -> Result<Sealed, CommandError> {
        let config = session::load_config(&self.config)?;
        let project_dir = project_dir(&self.config)?;
        let workspace = github::workspace(&project_dir)?;
        let advisor = self.model.advisor(Some(&config))?;
        let against = match &self.against {
            Some(commit) => Some(harness_at(&workspace, commit, &config)?),
            None => None,
        };
        let out = self.source.out.join("test").join(folder(&self.release));
        let session = Session {
            project: self.release.clone(),
            advisor: advisor.as_ref(),
            tape: self.model.tape(),
            quiet: self.json,
            ..Session::of(&config, &workspace, &project_dir, out)
        };
        let (card, before) = session::with_request(session, async |request, progress| {
            let mut store = session::open_dir(&request.out, progress)?;
            Ok(sealed::measure(request, against.as_ref(), &mut store, progress).await?)
        })
        .await?;
        Ok(Sealed {
            commit: workspace.head_commit()?,
            against: self.against.clone(),
            before,
            card,
        })
    }
}

fn harness_at(workspace: &Workspace, commit: &str, config: &Config) -> Result<Harness, CommandError> {
    let files = workspace.files_at(commit)?;
    let project = session::project(files, &config.harness, &config.runner.command)?;
    Ok(project.files.harness)
}

/// A release's name as that of a folder.
fn folder(release: &str) -> String {
    release
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || ".-_".contains(letter) {
                letter
            } else {
                '_'
            }
        })
        .collect()
}
