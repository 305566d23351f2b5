//! `sprag demo`: the newcomer's first minute, on an agent that is in the binary.

use super::session::{self, Session};
use super::{print, print_json};
use crate::error::CommandError;
use crate::helpdesk;
use crate::project::ProjectFile;
use crate::workspace::Workspace;
use fs_err as fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shows the whole loop on a bundled helpdesk agent, in under a minute: no key, no GitHub, no network.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where repository, ledger, pull requests and report go
    #[arg(long, default_value = "sprag-demo", value_name = "DIR")]
    out: PathBuf,
    /// Batches of traffic
    #[arg(long, default_value_t = 12)]
    batches: u32,
    /// Decides which tasks each batch has
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

const INTRODUCTION: &str = "\
sprag demo: a small web shop has a helpdesk agent. It fails about half of its tickets.
Watch what sprag does about it, on its own:

  baseline   how many held-out tickets the agent solves; the proposer never sees these
  batch      tickets come in; failed ones are mined for root causes, and those are clustered
  trying     a change of the agent's playbook for the worst cluster: on the cluster's own tickets,
             then on the regression suite, then on the held-out tickets
  accepted   kept: a branch, a pull request and check runs; fixed tickets join the suite
  rejected   reverted, remembered with its reason, and not tried again
";

pub(super) async fn demo(args: Args) -> Result<ExitCode, CommandError> {
    if !args.json {
        // Progress is on stderr, and so is what introduces it.
        let _closed = writeln!(std::io::stderr(), "{INTRODUCTION}");
    }
    let text = |(path, text): (&str, &str)| ProjectFile {
        path: path.to_owned(),
        bytes: text.into(),
        executable: false,
    };
    let files: Vec<ProjectFile> = helpdesk::project_files().into_iter().map(text).collect();
    let toml = helpdesk::project_files()
        .into_iter()
        .find(|(path, _)| *path == "sprag.toml");
    let config = session::parse_config("sprag.toml", toml.map_or("", |(_, text)| text))?;
    let repo = args.out.join("repo");
    fs::create_dir_all(&repo)?;
    let workspace = Workspace::create(&repo, &files)?;
    let (summary, state) = session::run(Session {
        experiments: config.budget.experiments.saturating_mul(args.batches),
        project: "helpdesk demo".to_owned(),
        seed: args.seed,
        batches: args.batches,
        merge: true,
        issues: helpdesk::issues(),
        quiet: args.json,
        ..Session::of(&config, &workspace, &repo, args.out.clone())
    })
    .await?;
    if args.json {
        print_json(&summary)?;
    } else {
        let comments = (
            "answers to the issues".to_owned(),
            args.out.join("comments").display().to_string(),
        );
        print(&summary.text(&state, vec![comments]))?;
    }
    Ok(session::exit_code(&state))
}
