//! `sprag simulate`: the loop on a copy of the project, with accepted changes merged at once.

use super::model::{self, ModelArgs};
use super::session::{self, Session};
use super::{print, print_json};
use crate::error::{CommandError, Exit};
use crate::project::ProjectFile;
use crate::workspace::{Workspace, files_of_folder};
use fs_err as fs;
use sprag_core::search::SearchMode;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Repeats the whole loop over many batches of traffic, merging what passes, and reports how far it gets.
///
/// Works on a copy of the project in the folder of `--out`; the project itself is not touched. Run again, it goes on where it stopped.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The project's configuration; its folder is the project
    #[arg(long, default_value = "sprag.toml", value_name = "FILE")]
    config: PathBuf,
    /// Batches of traffic
    #[arg(long, default_value_t = 18)]
    batches: u32,
    /// Experiments in all
    #[arg(long, default_value_t = 96)]
    experiments: u32,
    /// Decides which tasks each batch has, and the seeds of the runs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where ledger, repository, pull requests and report go
    #[arg(long, default_value = "sprag-out", value_name = "DIR")]
    out: PathBuf,
    /// How the next change is looked for, instead of what `search.mode` says
    #[arg(long, value_enum, value_name = "MODE")]
    search: Option<Search>,
    #[command(flatten)]
    model: ModelArgs,
    /// Print nothing but one JSON object at the end
    #[arg(long)]
    json: bool,
}

/// The values of `search.mode`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Search {
    Greedy,
    Frontier,
}

pub(super) async fn simulate(args: Args) -> Result<ExitCode, CommandError> {
    let mut config = session::load_config(&args.config)?;
    match args.search {
        Some(Search::Greedy) => config.search.mode = SearchMode::Greedy,
        Some(Search::Frontier) => config.search.mode = SearchMode::Frontier,
        None => {}
    }
    let advisor = args.model.advisor(Some(&config))?;
    let project_dir = project_dir(&args.config)?;
    fs::create_dir_all(&args.out)?;
    let workspace = Workspace::create(&args.out.join("repo"), &project_files(&project_dir, &args.out)?)?;
    let (summary, state) = session::run(Session {
        seed: args.seed,
        batches: args.batches,
        experiments: args.experiments,
        merge: true,
        advisor: advisor.as_ref(),
        tape: args.model.tape(),
        quiet: args.json,
        ..Session::of(&config, &workspace, &project_dir, args.out.clone())
    })
    .await?;
    model::tell(advisor.as_ref(), &session::progress(args.json));
    if args.json {
        print_json(&summary)?;
    } else {
        print(&summary.text(&state, Vec::new()))?;
    }
    Ok(session::exit_code(&state))
}

/// The files of the project, without what an earlier run left in a folder of it.
pub(super) fn project_files(project: &Path, out: &Path) -> Result<Vec<ProjectFile>, CommandError> {
    let mut files = files_of_folder(project)?;
    // A folder that is not there yet has left nothing.
    if let Ok(out) = fs::canonicalize(out)
        && let Ok(inside) = out.strip_prefix(project)
        && inside != Path::new("")
    {
        files.retain(|file| !Path::new(&file.path).starts_with(inside));
    }
    Ok(files)
}

/// The folder a configuration lies in.
pub(super) fn project_dir(config: &Path) -> Result<PathBuf, CommandError> {
    let folder = config
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::canonicalize(folder)
        .map_err(|error| CommandError::new(Exit::Config, error.to_string(), "name the file with `--config`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_left_inside_the_project_is_no_part_of_it() {
        let project = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(project.path()).unwrap();
        for path in [
            "agent/a.toml",
            "out/.sprag/state/salt",
            "out-of-band.md",
            "later/report.html",
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "x").unwrap();
        }
        let paths = |out: &str| -> Vec<String> {
            let files = project_files(&root, &root.join(out)).unwrap();
            files.into_iter().map(|file| file.path).collect()
        };
        assert_eq!(paths("out"), ["agent/a.toml", "later/report.html", "out-of-band.md"]);
        assert!(!paths("later").contains(&"later/report.html".to_owned()));
    }
}
