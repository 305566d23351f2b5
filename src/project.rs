//! The project: the files a run is made of, and what part of them a candidate may change.

use sprag_core::case::{EvalCase, SUITE};
use sprag_core::config::HarnessConfig;
use sprag_core::harness::{GlobError, Harness, PathPolicy};

/// One file of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its path from the root of the project, with `/` between the parts.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// The files of the project that a run needs, and what part of them is the harness.
#[derive(Debug, Clone, Default)]
pub struct ProjectFiles {
    /// Every file, those of the harness included.
    pub files: Vec<ProjectFile>,
    /// The harness as it stands in `files`. A checkout gets what another harness changes, adds and removes against it.
    pub harness: Harness,
}

/// The files, and the policy that says which of them a candidate may change. Made once, so that nobody draws that line elsewhere.
#[derive(Debug, Clone)]
pub struct Project {
    /// The files and the harness among them.
    pub files: ProjectFiles,
    /// What a candidate may change.
    pub policy: PathPolicy,
}

impl ProjectFiles {
    /// The harness alone, for who may see nothing of what judges it.
    pub fn of_harness(&self) -> Self {
        let of_harness = |file: &&ProjectFile| self.harness.get(&file.path).is_some();
        Self {
            files: self.files.iter().filter(of_harness).cloned().collect(),
            harness: self.harness.clone(),
        }
    }
}

impl Project {
    /// Draws the line between harness and the rest. The files that the runner's command names judge the candidate and are never harness.
    ///
    /// # Errors
    /// When a glob of the configuration cannot be read.
    pub fn new(files: Vec<ProjectFile>, harness: &HarnessConfig, command: &[String]) -> Result<Self, GlobError> {
        let named = |path: &str| command.iter().any(|word| word.trim_start_matches("./") == path);
        let runner_files: Vec<String> = files
            .iter()
            .filter(|file| named(&file.path))
            .map(|file| file.path.clone())
            .collect();
        let policy = PathPolicy::new(&harness.paths, &harness.protect, &runner_files)?;
        let allowed = files.iter().filter(|file| policy.allows(&file.path));
        // A file that is not text cannot be edited, so it is no part of the harness.
        let text = allowed.filter_map(|file| Some((file.path.clone(), String::from_utf8(file.bytes.clone()).ok()?)));
        let harness = Harness::new(text);
        let files = ProjectFiles { files, harness };
        Ok(Self { files, policy })
    }
}

/// A case of the regression suite that cannot be read: without it the suite would promise less than people merged.
#[derive(Debug, thiserror::Error)]
#[error("{path} is not a case of the regression suite: {problem}")]
pub struct SuiteError {
    /// Its file.
    path: String,
    problem: serde_json::Error,
}

/// The regression suite among the files of a project.
///
/// # Errors
/// When a case cannot be read.
pub fn suite(files: &[ProjectFile]) -> Result<Vec<EvalCase>, SuiteError> {
    let cases = files
        .iter()
        .filter(|file| file.path.starts_with(SUITE) && file.path.ends_with(".json"));
    cases
        .map(|file| {
            serde_json::from_slice(&file.bytes).map_err(|problem| SuiteError {
                path: file.path.clone(),
                problem,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(command: &[&str]) -> Project {
        let file = |path: &str, bytes: &[u8]| ProjectFile {
            path: path.to_owned(),
            bytes: bytes.to_vec(),
            executable: false,
        };
        let files = vec![
            file("README.md", b"readme\n"),
            file("agent/a.md", b"a\n"),
            file("agent/logo.png", &[0x89, 0xff]),
            file("agent/worker.py", b"work\n"),
        ];
        let config = HarnessConfig {
            paths: vec!["agent/**".to_owned()],
            protect: vec![],
        };
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        Project::new(files, &config, &command).unwrap()
    }

    #[test]
    fn only_text_files_are_the_harness() {
        let files = project(&["python3", "evals/worker.py"]).files;
        let harness: Vec<_> = files.harness.files().map(|(path, _)| path).collect();
        assert_eq!(harness, ["agent/a.md", "agent/worker.py"]);
    }

    #[test]
    fn a_case_that_cannot_be_read_is_no_smaller_suite() {
        let file = |path: &str, text: &str| ProjectFile {
            path: path.to_owned(),
            bytes: text.into(),
            executable: false,
        };
        let elsewhere = file("suite/x.json", "{");
        assert_eq!(suite(&[elsewhere]).unwrap(), []);
        let error = suite(&[file(".sprag/suite/case-1.json", "{")]).unwrap_err();
        assert!(error.to_string().starts_with(".sprag/suite/case-1.json is not a case"));
    }

    #[test]
    fn a_worker_that_lies_in_the_harness_is_no_part_of_it() {
        for worker in ["agent/worker.py", "./agent/worker.py"] {
            let Project { files, policy } = project(&["python3", worker]);
            assert!(!policy.allows("agent/worker.py"));
            let harness: Vec<_> = files.harness.files().collect();
            assert_eq!(harness, [("agent/a.md", "a\n")]);
            assert!(files.files.iter().any(|file| file.path == "agent/worker.py"));
        }
    }
}
