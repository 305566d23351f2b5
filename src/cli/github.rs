//! What the commands that work on GitHub share: who sprag is there, which repository it is for, and its facts.

use super::session::{self, now};
use crate::actions::Job;
use crate::error::{CommandError, Exit};
use crate::flow::advise::Advisor;
use crate::flow::sync::{Hub, Notebook};
use crate::forge::{Credentials, Forge, ForgeConfig};
use crate::progress::Progress;
use crate::project::ProjectFile;
use crate::store::{BranchStore, Damage};
use crate::workspace::{Remote, Workspace};
use secrecy::{ExposeSecret as _, SecretString};
use sprag_core::case::EvalCase;
use sprag_core::config::Config;
use sprag_core::github::RepoName;
use sprag_core::id::TaskId;
use sprag_core::render::check::Conclusion;
use sprag_core::signal::Place;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How to reach the repository on GitHub.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct GithubArgs {
    /// The repository, as owner/name
    #[arg(long, env = "GITHUB_REPOSITORY", value_name = "OWNER/NAME", value_parser = repository)]
    repo: Option<RepoName>,
    /// The root of GitHub's REST API; another one for GitHub Enterprise Server
    #[arg(
        long,
        env = "GITHUB_API_URL",
        default_value = "https://api.github.com",
        value_name = "URL"
    )]
    api_url: String,
    /// The root of GitHub's pages and of git
    #[arg(
        long,
        env = "GITHUB_SERVER_URL",
        default_value = "https://github.com",
        value_name = "URL"
    )]
    server_url: String,
    /// A token: that of a job of GitHub Actions. With one of your own everything works but check runs, which GitHub takes from Apps alone
    #[arg(long, env = "GITHUB_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = secret)]
    token: Option<SecretString>,
    /// The id of the GitHub App; comes before the token
    #[arg(long, env = "SPRAG_APP_ID", value_name = "ID", requires = "app_private_key")]
    app_id: Option<String>,
    /// The private key of the GitHub App, as PEM text
    #[arg(long, env = "SPRAG_APP_PRIVATE_KEY", hide_env_values = true, value_name = "PEM", value_parser = secret)]
    app_private_key: Option<SecretString>,
    /// The branch that keeps what sprag learns
    #[arg(long, default_value = "sprag/state", value_name = "BRANCH")]
    state_branch: String,
    /// Seconds between two changes on GitHub. 0 for a server of your own that limits nothing: then nothing waits for what GitHub allows, either
    #[arg(long, env = "SPRAG_PACE", default_value_t = 1.0, value_name = "SECONDS")]
    pace: f64,
}

fn repository(text: &str) -> Result<RepoName, String> {
    RepoName::parse(text).ok_or_else(|| format!("`{text}` is not owner/name"))
}

/// Never fails, so no error shows it.
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

impl GithubArgs {
    /// The repository's name.
    pub(super) fn repository(&self) -> Result<RepoName, CommandError> {
        self.repo.clone().ok_or_else(|| {
            CommandError::new(
                Exit::Usage,
                "sprag does not know which repository on GitHub this is",
                "add `--repo owner/name`; in GitHub Actions it is known",
            )
        })
    }

    /// The way to the repository's API, with all that an App may.
    pub(super) fn forge(&self) -> Result<Forge, CommandError> {
        self.forge_for(&[])
    }

    /// The way to the repository's API; the tokens of an App are good for these permissions alone.
    pub(super) fn forge_for(
        &self,
        permissions: &'static [(&'static str, &'static str)],
    ) -> Result<Forge, CommandError> {
        let some =
            |value: &Option<SecretString>| value.clone().filter(|value| !value.expose_secret().trim().is_empty());
        let id = self.app_id.clone().filter(|id| !id.trim().is_empty());
        let credentials = match (id, some(&self.app_private_key), some(&self.token)) {
            (Some(id), Some(private_key), _) => Credentials::App { id, private_key },
            (_, _, Some(token)) => Credentials::Token(token),
            _ => {
                return Err(CommandError::new(
                    Exit::Usage,
                    "sprag has no way to sign in to GitHub",
                    "set GITHUB_TOKEN, or SPRAG_APP_ID and SPRAG_APP_PRIVATE_KEY; without GitHub: `sprag run --local`",
                ));
            }
        };
        Ok(Forge::new(ForgeConfig {
            api_url: self.api_url.clone(),
            repo: self.repository()?,
            credentials,
            permissions,
            pace: Duration::try_from_secs_f64(self.pace).unwrap_or(Duration::from_secs(1)),
            clock: Arc::new(jiff::Timestamp::now),
            wait: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
            max_wait: Duration::from_mins(15),
            max_tries: 6,
            timeout: Duration::from_secs(30),
        })?)
    }

    /// The repository for git.
    pub(super) fn git_url(&self) -> Result<String, CommandError> {
        let server = self.server_url.trim_end_matches('/');
        Ok(format!("{server}/{}.git", self.repository()?))
    }

    /// The page of a pull request.
    pub(super) fn pull_url(&self, number: u64) -> Result<String, CommandError> {
        let server = self.server_url.trim_end_matches('/');
        Ok(format!("{server}/{}/pull/{number}", self.repository()?))
    }

    /// The repository for git, with a token that is good for the next minutes.
    pub(super) async fn remote(&self, forge: &Forge, job: &Job) -> Result<Remote, CommandError> {
        let token = forge.token().await?;
        job.mask(&token);
        Ok(Remote {
            url: self.git_url()?,
            token: Some(token),
        })
    }

    fn place(&self) -> Result<Place, CommandError> {
        let host = self.server_url.split("://").last().unwrap_or_default();
        Ok(Place {
            host: host.trim_end_matches('/').to_owned(),
            repo: self.repository()?,
        })
    }

    /// The facts of the repository; their branch is copied into the folder of `out`.
    pub(super) async fn notebook(
        &self,
        forge: &Forge,
        out: &Path,
        job: &Job,
        progress: &Progress,
    ) -> Result<Notebook, CommandError> {
        let (store, damage) = self.branch(forge, out, job).await?;
        session::tell_damage(&damage, progress);
        let mark = format!("{} {}", job.run_id.as_deref().unwrap_or("local"), std::process::id());
        Ok(Notebook::open(store, forge.clone(), Arc::new(now), mark)?)
    }

    /// The state branch as it stands, and what of it was damaged.
    pub(super) async fn branch(
        &self,
        forge: &Forge,
        out: &Path,
        job: &Job,
    ) -> Result<(BranchStore, Vec<Damage>), CommandError> {
        let remote = self.remote(forge, job).await?;
        let cache = out.join("state-branch");
        let opened = tokio::task::block_in_place(|| BranchStore::open(remote, &self.state_branch, &cache));
        Ok(opened?)
    }

    /// What a sync works with.
    pub(super) fn hub<'a>(
        &self,
        forge: &'a Forge,
        config: &'a Config,
        scratch: &'a Path,
        suite: Vec<EvalCase>,
        tasks: Vec<TaskId>,
        advisor: Option<&'a Advisor>,
    ) -> Result<Hub<'a>, CommandError> {
        Ok(Hub {
            forge,
            config,
            place: self.place()?,
            scratch,
            tasks,
            suite,
            git_url: self.git_url()?,
            advisor,
        })
    }
}

/// Hands what the two check runs say to the steps that follow.
pub(super) fn put_conclusions(job: &Job, conclusions: Option<[Conclusion; 2]>) -> std::io::Result<()> {
    let words = conclusions.map_or(["", ""], |conclusions| conclusions.map(Conclusion::word));
    for (name, word) in ["regression", "validation"].into_iter().zip(words) {
        job.put_output(name, word)?;
    }
    Ok(())
}

/// The regression suite among the files of a project.
pub(super) fn suite(files: &[ProjectFile]) -> Result<Vec<EvalCase>, CommandError> {
    Ok(crate::project::suite(files)?)
}

/// The repository around a project folder.
pub(super) fn workspace(project: &Path) -> Result<Workspace, CommandError> {
    Workspace::open(project).map_err(|error| {
        CommandError::new(
            Exit::Config,
            format!(
                "{} is not in a git repository with a commit ({error})",
                project.display()
            ),
            "run `git init`, commit the project, and try again",
        )
    })
}
