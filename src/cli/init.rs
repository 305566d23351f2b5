//! `sprag init --worker python`: a worker to fill in, the helper that speaks the protocol for it, and a first `sprag.toml`.

use fs_err as fs;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

const CONFIG: &str = r#"# What sprag may change, and how it runs your agent. Every other key has a default that works.

[harness]
paths = ["agent/**"]

[runner]
kind = "worker"
command = ["python3", "evals/worker.py"]
"#;

/// What `init` writes for Python, by path from the root of the project.
const PYTHON: [(&str, &str); 3] = [
    ("evals/worker.py", include_str!("../../assets/python/worker.py")),
    (
        "evals/sprag_worker.py",
        include_str!("../../assets/python/sprag_worker.py"),
    ),
    ("sprag.toml", CONFIG),
];

/// Writes a worker to fill in and a first configuration. Files that exist are left as they are.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// The language of the worker
    #[arg(long)]
    pub worker: Language,
    /// The root of the project
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
}

/// A language that there is a worker template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Python 3.8 or later, standard library only
    Python,
}

/// What `init` did; its text says what to do next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InitReport {
    /// Files that were written.
    pub written: Vec<&'static str>,
    /// Files that were there already and are as they were.
    pub kept: Vec<&'static str>,
}

/// Writes what is missing.
pub fn init(args: &InitArgs) -> io::Result<InitReport> {
    let files = match args.worker {
        Language::Python => PYTHON,
    };
    let mut report = InitReport::default();
    for (path, text) in files {
        let target = args.dir.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // `create_new` cannot overwrite, whoever else is writing.
        match fs::OpenOptions::new().write(true).create_new(true).open(&target) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                report.written.push(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => report.kept.push(path),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

impl fmt::Display for InitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in &self.written {
            writeln!(f, "wrote {path}")?;
        }
        for path in &self.kept {
            writeln!(f, "kept  {path}: it was there already, and is as it was")?;
        }
        write!(
            f,
            "\nNext:\n\
             1. Put your agent into the two functions of evals/worker.py.\n\
             2. Say in sprag.toml under [harness] which files of the agent sprag may change.\n\
             3. Run `sprag worker check`: it says what is still wrong with the worker."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_written_and_what_is_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sprag.toml"), "mine").unwrap();
        let args = InitArgs {
            worker: Language::Python,
            dir: dir.path().to_owned(),
        };
        let report = init(&args).unwrap();
        insta::assert_snapshot!(report, @r"
        wrote evals/worker.py
        wrote evals/sprag_worker.py
        kept  sprag.toml: it was there already, and is as it was

        Next:
        1. Put your agent into the two functions of evals/worker.py.
        2. Say in sprag.toml under [harness] which files of the agent sprag may change.
        3. Run `sprag worker check`: it says what is still wrong with the worker.
        ");
        assert_eq!(fs::read_to_string(dir.path().join("sprag.toml")).unwrap(), "mine");
        assert_eq!(init(&args).unwrap().written, [""; 0], "a second time changes nothing");
    }

    #[test]
    fn the_configuration_is_toml_and_names_the_worker() {
        let config: toml::Table = CONFIG.parse().unwrap();
        assert_eq!(config["runner"]["command"][1].as_str(), Some(PYTHON[0].0));
    }
}
