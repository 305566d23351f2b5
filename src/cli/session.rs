//! What `demo`, `simulate` and `run` share: read the configuration, build the ports, run the loop, sum it up.

use crate::error::{CommandError, Exit};
use crate::flow::advise::Advisor;
use crate::flow::{self, Request, Summary};
use crate::model::{Purse, Tape};
use crate::progress::Progress;
use crate::project::{Project, ProjectFile, ProjectFiles};
use crate::proxy::Proxy;
use crate::runner::{AgentConfig, CodingAgent, CommandConfig, CommandRunner, Hold, Runner, WorkerConfig, WorkerRunner};
use crate::store::{Damage, DirStore, Store as _};
use crate::workspace::Workspace;
use fs_err as fs;
use sprag_core::config::{self, AgentModelConfig, Config, HarnessConfig, ProposerKind, RunnerKind, SandboxTier};
use sprag_core::hash;
use sprag_core::ledger::Known;
use sprag_core::machine::State;
use sprag_core::redact::Redactor;
use sprag_core::signal::Report;
use sprag_sandbox::{Choice, Limits};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How a run is set up by its command.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) config: &'a Config,
    pub(super) workspace: &'a Workspace,
    /// The folder of the project: where `{project}` points.
    pub(super) project_dir: &'a Path,
    pub(super) project: String,
    pub(super) out: PathBuf,
    pub(super) seed: u64,
    pub(super) batches: u32,
    pub(super) experiments: u32,
    pub(super) merge: bool,
    pub(super) issues: Vec<Report>,
    /// What other runs and people have found.
    pub(super) known: Known,
    /// The files of the project, if not those of HEAD.
    pub(super) files: Option<Vec<ProjectFile>>,
    /// Says why runs failed, beside the rules.
    pub(super) advisor: Option<&'a Advisor>,
    /// What becomes of what agents ask models through sprag.
    pub(super) tape: Tape,
    pub(super) quiet: bool,
}

impl<'a> Session<'a> {
    /// A session in which nothing is told or known, no batch of traffic runs and nothing is merged; what a command wants otherwise it sets. The project is
    /// called as its folder is.
    pub(super) fn of(config: &'a Config, workspace: &'a Workspace, project_dir: &'a Path, out: PathBuf) -> Self {
        let name = project_dir.file_name();
        Self {
            config,
            workspace,
            project_dir,
            project: name.map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            out,
            seed: 1,
            batches: 0,
            experiments: 1,
            merge: false,
            issues: Vec::new(),
            known: Known::default(),
            files: None,
            advisor: None,
            tape: Tape::Off,
            quiet: false,
        }
    }
}

/// Reads and checks a `sprag.toml`; every mistake is named.
pub(super) fn load_config(path: &Path) -> Result<Config, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| {
        CommandError::new(
            Exit::Config,
            error.to_string(),
            "name the file with `--config`, or write one with `sprag init`",
        )
    })?;
    parse_config(&path.display().to_string(), &text)
}

/// See [`load_config`].
pub(super) fn parse_config(name: &str, text: &str) -> Result<Config, CommandError> {
    config::parse(text).map_err(|problems| {
        let count = match problems.len() {
            1 => "a mistake".to_owned(),
            n => format!("{n} mistakes"),
        };
        let told = config::render_problems(name, text, &problems);
        CommandError::new(
            Exit::Config,
            format!("{name} has {count}\n{}", told.trim_end()),
            "docs/config.md lists every key with its default",
        )
    })
}

/// Runs the loop in the folder of the session and writes its files.
pub(super) async fn run(session: Session<'_>) -> Result<(Summary, State), CommandError> {
    with_request(session, async |request, progress| {
        let mut store = open_dir(&request.out, progress)?;
        let state = flow::improve(request, &mut store, progress).await?;
        let summary = Summary::write(request, &state, store.entries())?;
        Ok((summary, state))
    })
    .await
}

/// The state folder of a run; damage is told.
pub(super) fn open_dir(out: &Path, progress: &Progress) -> Result<DirStore, CommandError> {
    let (store, damage) = DirStore::open(&out.join(".sprag/state"))?;
    tell_damage(&damage, progress);
    Ok(store)
}

pub(super) fn tell_damage(damage: &[Damage], progress: &Progress) {
    for damage in damage {
        progress.line(&format!("warning: {damage}, the rest is used"));
    }
}

/// Sets up everything that a run needs, and hands it to `work`.
pub(super) async fn with_request<T>(
    session: Session<'_>,
    work: impl AsyncFnOnce(&Request<'_>, &Progress) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    fs::create_dir_all(&session.out)?;
    let out = fs::canonicalize(&session.out)?;
    let progress = progress(session.quiet);
    let scratch = tempfile::tempdir()?;
    let Project { files, policy } = project(
        match &session.files {
            Some(files) => files.clone(),
            None => session.workspace.files()?,
        },
        &session.config.harness,
        &session.config.runner.command,
    )?;
    let harness = files.harness.clone();
    let identity = identity(session.config, &files);
    let desk = tempfile::tempdir()?;
    let hold = hold(session.config, session.project_dir)?;
    let agent = agent(&session, &files, desk.path(), &hold)?;
    let runner = runner(&session, files, scratch.path(), &hold)?;
    let request = Request {
        config: session.config,
        workspace: session.workspace,
        harness,
        policy,
        runner: runner.as_ref(),
        advisor: session.advisor,
        agent: agent.as_ref(),
        runner_identity: identity,
        project: session.project,
        out,
        seed: session.seed,
        batches: session.batches,
        experiments: session.experiments,
        merge: session.merge,
        issues: session.issues,
        known: session.known,
        sandbox: hold.tier().words(),
        clock: Arc::new(now),
        interrupted: watch_for_interrupts(),
        wall: Duration::from_millis(session.config.budget.wall_ms),
    };
    work(&request, &progress).await
}

/// Now, as RFC 3339, always with six digits behind the second: such times sort as text.
pub(super) fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

/// Progress for this process.
pub(super) fn progress(quiet: bool) -> Progress {
    let in_actions = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    Progress::new(quiet, in_actions)
}

/// The exit code of a run that came to its end.
pub(super) fn exit_code(state: &State) -> ExitCode {
    match state.spent.over(&state.plan.limits) {
        Some(_) => Exit::Budget.into(),
        None => ExitCode::SUCCESS,
    }
}

/// See [`Project::new`].
pub(super) fn project(
    files: Vec<ProjectFile>,
    harness: &HarnessConfig,
    command: &[String],
) -> Result<Project, CommandError> {
    Project::new(files, harness, command)
        .map_err(|error| CommandError::new(Exit::Config, error.to_string(), "correct `[harness]` in sprag.toml"))
}

/// What holds the code of others on this machine, proven now.
pub(super) fn hold(config: &Config, project_dir: &Path) -> Result<Hold, CommandError> {
    let wanted = &config.sandbox;
    let choice = match wanted.tier {
        SandboxTier::Auto => Choice::Auto,
        SandboxTier::A => Choice::A,
        SandboxTier::Sudo => Choice::Sudo,
        SandboxTier::B => Choice::B,
        SandboxTier::None => Choice::None,
    };
    let home = std::env::home_dir();
    let read = wanted.read.iter().map(|path| match (path.strip_prefix("~/"), &home) {
        (Some(below), Some(home)) => home.join(below),
        _ => project_dir.join(path),
    });
    let limits = Limits {
        memory: wanted.memory_mib << 20,
        disk: wanted.disk_mib << 20,
        processes: wanted.processes,
        ..Limits::default()
    };
    Hold::select(choice, &std::env::current_exe()?, read.collect(), limits)
        .map_err(|refused| CommandError::new(Exit::Config, refused.to_string(), refused.hint()))
}

/// The coding agent that proposes, if one does. It works in a folder apart from where the evaluation does.
fn agent(
    session: &Session<'_>,
    files: &ProjectFiles,
    scratch: &Path,
    hold: &Hold,
) -> Result<Option<CodingAgent>, CommandError> {
    let config = &session.config.proposer;
    if config.kind != ProposerKind::Command {
        return Ok(None);
    }
    Ok(Some(CodingAgent::new(AgentConfig {
        command: expand(&config.command, &fs::canonicalize(session.project_dir)?)?,
        files: files.of_harness(),
        timeout: Duration::from_millis(config.timeout_ms),
        env_pass: config.env.clone(),
        scratch: scratch.to_owned(),
        hold: hold.clone(),
        proxy: proxy(config.model.as_ref(), session.config, &session.tape)?,
    })))
}

/// The way to the models that foreign code may ask, if it may ask any.
pub(super) fn proxy(
    model: Option<&AgentModelConfig>,
    config: &Config,
    tape: &Tape,
) -> Result<Option<Arc<Proxy>>, CommandError> {
    let open = |model| {
        let env = |name: &str| std::env::var(name).ok();
        let purse = Purse::new(config.budget.usd);
        Proxy::open(model, tape, Redactor::new(&config.redact), purse, env)
    };
    Ok(model.map(open).transpose()?)
}

fn runner(
    session: &Session<'_>,
    files: ProjectFiles,
    scratch: &Path,
    hold: &Hold,
) -> Result<Box<dyn Runner>, CommandError> {
    let config = &session.config.runner;
    let project_dir = fs::canonicalize(session.project_dir)?;
    let command = expand(&config.command, &project_dir)?;
    let timeout = Duration::from_millis(config.timeout_ms);
    let proxy = proxy(config.model.as_ref(), session.config, &session.tape)?;
    Ok(match config.kind {
        RunnerKind::Worker => Box::new(WorkerRunner::new(WorkerConfig {
            command,
            project_dir,
            files,
            concurrency: config.concurrency,
            timeout,
            retries: config.retries,
            env_pass: config.env.clone(),
            scratch: scratch.to_owned(),
            hold: hold.clone(),
            proxy,
        })),
        RunnerKind::Command => Box::new(CommandRunner::new(CommandConfig {
            command,
            project_dir,
            files,
            tasks: config.tasks.clone(),
            report: config.report,
            concurrency: config.concurrency,
            timeout,
            retries: config.retries,
            env_pass: config.env.clone(),
            scratch: scratch.to_owned(),
            hold: hold.clone(),
            proxy,
        })),
    })
}

/// Puts in `{project}`, the folder of the project, and `{sprag}`, this very program.
pub(super) fn expand(command: &[String], project_dir: &Path) -> Result<Vec<String>, CommandError> {
    let program = std::env::current_exe()?.display().to_string();
    let project = project_dir.display().to_string();
    Ok(command
        .iter()
        .map(|word| word.replace("{project}", &project).replace("{sprag}", &program))
        .collect())
}

/// What decides results besides harness, task, trial and seed: the command as it is configured, and every file of the project that no
/// candidate may change. Free of the paths of this machine.
pub(super) fn identity(config: &Config, project: &ProjectFiles) -> String {
    let kind = match config.runner.kind {
        RunnerKind::Worker => "worker",
        RunnerKind::Command => "command",
    };
    let fixed = project
        .files
        .iter()
        .filter(|file| project.harness.get(&file.path).is_none() && !file.path.starts_with(".sprag/"));
    let fixed: Vec<(&str, &[u8])> = fixed.map(|file| (file.path.as_str(), file.bytes.as_slice())).collect();
    format!("{kind} {} {}", config.runner.command.join(" "), hash::of(&fixed))
}

/// The first Ctrl-C or SIGTERM asks for an orderly stop; the second one ends the process at once, which loses nothing either.
fn watch_for_interrupts() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    tokio::spawn(async move {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return;
        };
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { return },
                _ = terminate.recv() => {}
            }
            if set.swap(true, Ordering::Relaxed) {
                #[expect(clippy::exit, reason = "the user asked twice; the ledger is whole at every moment")]
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    });
    flag
}
