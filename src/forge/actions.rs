//! Workflow runs and their artifacts.

use super::list::{Page, oldest_first};
use super::wire::{ArtifactWire, RunWire};
use super::{Forge, ForgeError, endpoint};
use serde::Deserialize;
use sprag_core::github::{Artifact, WorkflowRun};

#[derive(Deserialize)]
struct Runs {
    workflow_runs: Vec<RunWire>,
}

impl Page for Runs {
    type Item = RunWire;

    fn items(self) -> Vec<RunWire> {
        self.workflow_runs
    }
}

#[derive(Deserialize)]
struct Artifacts {
    artifacts: Vec<ArtifactWire>,
}

impl Page for Artifacts {
    type Item = ArtifactWire;

    fn items(self) -> Vec<ArtifactWire> {
        self.artifacts
    }
}

impl Forge {
    /// A workflow run.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn workflow_run(&self, id: u64) -> Result<WorkflowRun, ForgeError> {
        let run: RunWire = self.read(&self.call(endpoint::RUN, &[&id])).await?;
        Ok(run.into())
    }

    /// The runs of a workflow (the name of its file), oldest first; only those created at a time in RFC 3339 or later.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn workflow_runs(
        &self,
        workflow_file: &str,
        created_from: Option<&str>,
    ) -> Result<Vec<WorkflowRun>, ForgeError> {
        let from = created_from.unwrap_or_default();
        // The list is newest first. GitHub's own filters make it a search, which ends after 1,000 runs without a word.
        let call = self.call(endpoint::RUNS_OF_WORKFLOW, &[&workflow_file]);
        let runs = self.list::<Runs>(&call, |run| run.created_at.as_str() < from).await?;
        let runs = oldest_first(runs, |run| run.id);
        Ok(runs.into_iter().map(WorkflowRun::from).collect())
    }

    /// The artifacts of the whole repository, oldest first; only what came after the one with this id.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn artifacts(&self, after: Option<u64>) -> Result<Vec<Artifact>, ForgeError> {
        let after = after.unwrap_or(0);
        let call = self.call(endpoint::ARTIFACTS, &[]);
        let artifacts = self.list::<Artifacts>(&call, |artifact| artifact.id <= after).await?;
        Ok(plain(artifacts))
    }

    /// The artifacts of a workflow run, oldest first.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn artifacts_of(&self, run: u64) -> Result<Vec<Artifact>, ForgeError> {
        let call = self.call(endpoint::ARTIFACTS_OF, &[&run]);
        Ok(plain(self.list::<Artifacts>(&call, |_| false).await?))
    }
}

fn plain(artifacts: Vec<ArtifactWire>) -> Vec<Artifact> {
    let artifacts = oldest_first(artifacts, |artifact| artifact.id);
    artifacts.into_iter().map(Artifact::from).collect()
}
