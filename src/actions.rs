//! The job of GitHub Actions that sprag runs in: where it is, what set it off, and where its outputs and its summary go.

use fs_err as fs;
use secrecy::{ExposeSecret as _, SecretString};
use sprag_core::render::markdown::Markdown;
use sprag_core::webhook::Webhook;
use std::io::Write as _;
use std::path::PathBuf;

/// What the environment says of the job. Outside of Actions everything is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// Whether sprag runs in a job at all.
    pub inside: bool,
    /// `owner/name` of the repository.
    pub repository: Option<String>,
    /// The root of the REST API.
    pub api_url: Option<String>,
    /// The root of the web pages, and of git.
    pub server_url: Option<String>,
    /// The name of the event.
    pub event_name: Option<String>,
    /// The file with its payload.
    pub event_path: Option<PathBuf>,
    /// The id of the workflow run.
    pub run_id: Option<String>,
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
}

/// Why the event file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no payload.
    #[error("{path} is not the payload of an event: {problem}")]
    Payload {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

impl Job {
    /// Reads the environment through `var`.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Self {
        let some = |name: &str| var(name).filter(|value| !value.is_empty());
        Self {
            inside: some("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            repository: some("GITHUB_REPOSITORY"),
            api_url: some("GITHUB_API_URL"),
            server_url: some("GITHUB_SERVER_URL"),
            event_name: some("GITHUB_EVENT_NAME"),
            event_path: some("GITHUB_EVENT_PATH").map(PathBuf::from),
            run_id: some("GITHUB_RUN_ID"),
            output: some("GITHUB_OUTPUT").map(PathBuf::from),
            summary: some("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        }
    }

    /// The event that set the job off; `None` outside of Actions.
    ///
    /// # Errors
    /// When there is an event file that cannot be read.
    pub fn webhook(&self) -> Result<Option<Webhook>, EventError> {
        let (Some(name), Some(path)) = (&self.event_name, &self.event_path) else {
            return Ok(None);
        };
        let payload = fs::read_to_string(path)?;
        Webhook::read(name, &payload)
            .map(Some)
            .map_err(|problem| EventError::Payload {
                path: path.clone(),
                problem,
            })
    }

    /// The page of the workflow run.
    pub fn page(&self) -> Option<String> {
        let (server, repository, run) = (&self.server_url, &self.repository, &self.run_id);
        let (server, repository, run) = (server.as_ref()?, repository.as_ref()?, run.as_ref()?);
        Some(format!("{server}/{repository}/actions/runs/{run}"))
    }

    /// Has the log of the job hide a secret, whatever prints it from now on.
    pub fn mask(&self, secret: &SecretString) {
        if self.inside {
            // A closed stderr shows nothing.
            let _closed = writeln!(std::io::stderr(), "::add-mask::{}", secret.expose_secret());
        }
    }

    /// Hands a value to the steps that follow.
    pub fn put_output(&self, name: &str, value: &str) -> std::io::Result<()> {
        let Some(path) = &self.output else { return Ok(()) };
        // The delimiter is a hash of the value, so that no value can contain its own.
        let end = format!("end-{}", sprag_core::hash::of_text(value));
        append(path, &format!("{name}<<{end}\n{value}\n{end}\n"))
    }

    /// Adds Markdown to the page of the workflow run.
    pub fn put_summary(&self, markdown: &Markdown) -> std::io::Result<()> {
        match &self.summary {
            Some(path) => append(path, &format!("{markdown}\n")),
            None => Ok(()),
        }
    }
}

fn append(path: &PathBuf, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_several_lines_stays_one_output() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out").display().to_string();
        let job = Job::from_env(|name| (name == "GITHUB_OUTPUT").then(|| path.clone()));
        job.put_output("report", "a\nEOF\nother=evil").unwrap();
        let written = fs::read_to_string(&path).unwrap();
        let end = written.lines().last().unwrap().to_owned();
        assert_eq!(written, format!("report<<{end}\na\nEOF\nother=evil\n{end}\n"));
        assert_eq!(
            Job::default().put_output("x", "y").ok(),
            Some(()),
            "nowhere to put it outside"
        );
    }

    #[test]
    fn an_event_file_that_is_no_payload_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("event.json");
        fs::write(&path, "[]").unwrap();
        let shown = path.display().to_string();
        let job = Job::from_env(|name| match name {
            "GITHUB_EVENT_NAME" => Some("push".to_owned()),
            "GITHUB_EVENT_PATH" => Some(shown.clone()),
            _ => None,
        });
        assert!(
            job.webhook()
                .unwrap_err()
                .to_string()
                .contains("event.json is not the payload")
        );
        assert_eq!(Job::default().webhook().unwrap(), None);
    }
}
