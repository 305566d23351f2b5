//! The tables of `sprag.toml`, their defaults and their limits.

use super::convert::{Mistake, choice, duration, number, text, whole};
use super::problem::Problem;
use super::reader::{Log, Reader};
use super::{
    BudgetConfig, CasesConfig, CommandTasks, Config, GateConfig, GateMode, HarnessConfig, Mapping, Preference,
    ReportKind, RunnerConfig, RunnerKind, SignalsConfig, TrafficConfig, agent_model, model, proposer, recipe, redact,
    sandbox,
};
use crate::curation::{Review, Reviewer};
use crate::harness::PathPolicy;
use crate::search::{SearchConfig, SearchMode};
use crate::severity::SeverityLabels;
use globset::Glob;
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue};

/// Reads the whole file.
pub(super) fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    parse_knowing(text).0
}

/// Reads the whole file and says which keys were asked for, so that a test can hold the schema against them.
pub(super) fn parse_knowing(text: &str) -> (Result<Config, Vec<Problem>>, BTreeSet<String>) {
    let log = Log::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        log.report(
            offset,
            "",
            Mistake::new(
                format!("this is not TOML: {}", error.message().replace('\n', "; ")),
                "mend this line; the rest is checked after that",
            ),
        );
    }
    let config = errors.is_empty().then(|| Reader::root(&log, table.get_ref(), config));
    let (problems, known) = log.finish();
    (config.filter(|_| problems.is_empty()).ok_or(problems), known)
}

fn config(file: &Reader<'_>) -> Config {
    let harness = file.table("harness", harness);
    // Globs that could not be read would make every recipe's file look forbidden.
    let policy = file
        .is_clean()
        .then(|| PathPolicy::new(&harness.paths, &harness.protect, &[]).ok())
        .flatten();
    let runner = file.table("runner", runner);
    let sandbox = file.table("sandbox", sandbox::read);
    let signals = file.table("signals", signals);
    let model = file.table("model", model::read);
    let review = file.table("review", review);
    let traffic = file.table("traffic", |traffic| TrafficConfig {
        batch_size: count(traffic, "batch_size", 10, 1, 100_000),
    });
    let cases = file.table("cases", |cases| CasesConfig {
        fails_before: count(cases, "fails_before", 2, 1, 100),
    });
    let proposer = file.table("proposer", |table| proposer::read(table, model.is_some()));
    let gate = file.table("gate", gate);
    let budget = file.table("budget", budget);
    let redact = file.table("redact", redact::read);
    let search = file.table("search", search);
    let recipes = recipe::read_all(file, policy.as_ref());
    Config {
        harness,
        runner,
        sandbox,
        signals,
        review,
        traffic,
        cases,
        model,
        proposer,
        gate,
        budget,
        redact,
        search,
        recipes,
    }
}

fn harness(table: &Reader<'_>) -> HarnessConfig {
    HarnessConfig {
        paths: table
            .some("paths", glob)
            .unwrap_or_else(|| HarnessConfig::default().paths),
        protect: table.many("protect", glob).unwrap_or_default(),
    }
}

fn runner(table: &Reader<'_>) -> RunnerConfig {
    let kind = table
        .one(
            "kind",
            choice(&[
                ("worker", Some(RunnerKind::Worker)),
                ("command", Some(RunnerKind::Command)),
            ]),
        )
        .unwrap_or(RunnerKind::Worker);
    let report = table.one(
        "report",
        choice(&[
            ("result", Some(ReportKind::Result)),
            ("junit", Some(ReportKind::Junit)),
            ("promptfoo", Some(ReportKind::Promptfoo)),
            ("inspect", Some(ReportKind::Inspect)),
        ]),
    );
    let tasks = table.table("tasks", |tasks| CommandTasks {
        train: tasks.many("train", text).unwrap_or_default(),
        validation: tasks.many("validation", text).unwrap_or_default(),
    });
    let command = table
        .some("command", text)
        .unwrap_or_else(|| vec!["python3".to_owned(), "evals/worker.py".to_owned()]);
    match kind {
        RunnerKind::Worker => only_for_commands(table),
        RunnerKind::Command => check_command(table, &command, &tasks),
    }
    let env = table.many("env", text).unwrap_or_default();
    RunnerConfig {
        kind,
        command,
        model: agent_model::read(table, &env),
        env,
        tasks,
        report: report.unwrap_or(ReportKind::Result),
        concurrency: count(table, "concurrency", 2, 1, 1024),
        timeout_ms: table.one("timeout", duration).unwrap_or(120_000),
        trials: count(table, "trials", 1, 1, 1000),
        retries: count(table, "retries", 2, 0, 100),
    }
}

fn only_for_commands(table: &Reader<'_>) {
    for key in ["tasks", "report"] {
        if table.has(key) {
            table.problem(
                key,
                Mistake::new(
                    "has no meaning for kind \"worker\", which is asked for its tasks and answers for itself",
                    "take it out, or write kind = \"command\"",
                ),
            );
        }
    }
}

fn check_command(table: &Reader<'_>, command: &[String], tasks: &CommandTasks) {
    table.require(
        "command",
        "write the program and its arguments, such as [\"./run-task\", \"{task}\", \"{out}\"]",
    );
    let uses = |placeholder: &str| command.iter().any(|argument| argument.contains(placeholder));
    if table.has("command") && !uses("{task}") && !uses("{case}") {
        table.problem(
            "command",
            Mistake::new(
                "does not say which task to run",
                "put {task}, its id, or {case}, the path of a file with the task, among the arguments",
            ),
        );
    }
    if table.has("command") && !uses("{out}") {
        table.problem(
            "command",
            Mistake::new(
                "does not say where to write the result",
                "put {out} among the arguments; it is the path of the file that sprag reads",
            ),
        );
    }
    if tasks.train.is_empty() || tasks.validation.is_empty() {
        table.problem(
            "tasks",
            Mistake::new(
                "must name train and validation tasks, since there is no worker to ask",
                "write tasks = { train = [\"…\"], validation = [\"…\"] }",
            ),
        );
    }
    if let Some(leak) = tasks.train.iter().find(|task| tasks.validation.contains(task)) {
        table.problem(
            "tasks",
            Mistake::new(
                format!("has \"{leak}\" in both splits, so that it would not be held out"),
                "keep it in one of them",
            ),
        );
    }
}

fn signals(table: &Reader<'_>) -> SignalsConfig {
    SignalsConfig {
        issue_labels: table
            .many("issue_labels", text)
            .unwrap_or_else(|| vec!["agent-failure".to_owned()]),
        artifacts: table.many("artifacts", glob).unwrap_or_default(),
        workflows: table.many("workflows", text).unwrap_or_default(),
        severity: table.table("severity", |severity| {
            let labels = |level: &str| severity.many(level, text).unwrap_or_default();
            SeverityLabels {
                critical: labels("critical"),
                high: labels("high"),
                medium: labels("medium"),
                low: labels("low"),
            }
        }),
        mapping: mapping(table),
    }
}

fn mapping(signals: &Reader<'_>) -> Option<Mapping> {
    let there = signals.has("mapping");
    let mapping = signals.table("mapping", |table| {
        if there {
            table.require(
                "messages",
                "write where a record has its messages, such as \"/messages\"",
            );
        }
        let at = |key: &str| table.one(key, pointer);
        Mapping {
            messages: at("messages").unwrap_or_default(),
            task: at("task"),
            trial: at("trial"),
            passed: at("passed"),
            score: at("score"),
            impact: at("impact"),
            role: at("role"),
            content: at("content"),
            tool_calls: at("tool_calls"),
            tool_name: at("tool_name"),
            tool_arguments: at("tool_arguments"),
            tool_call_id: at("tool_call_id"),
            answers: at("answers"),
            error: at("error"),
        }
    });
    there.then_some(mapping)
}

fn pointer(value: &DeValue<'_>) -> Result<String, Mistake> {
    let written = text(value)?;
    if written.starts_with('/') {
        return Ok(written);
    }
    Err(Mistake::new(
        format!("is \"{written}\", which is not a JSON pointer"),
        format!("write \"/{}\"", written.replace('.', "/")),
    ))
}

fn review(table: &Reader<'_>) -> Review {
    let reviewer = |key: &str| {
        let known = choice(&[("auto", Some(Reviewer::Auto)), ("human", Some(Reviewer::Human))]);
        table.one(key, known).unwrap_or_default()
    };
    Review {
        clusters: reviewer("clusters"),
        cases: reviewer("cases"),
    }
}

const MODES: &[(&str, Option<GateMode>)] = &[
    ("efficient", Some(GateMode::Efficient)),
    ("assured", Some(GateMode::Assured)),
    ("strict", Some(GateMode::Strict)),
];
const PREFERENCES: &[(&str, Option<Preference>)] = &[
    ("growth", Some(Preference::Growth)),
    ("balance", Some(Preference::Balance)),
    ("safety", Some(Preference::Safety)),
];

fn gate(table: &Reader<'_>) -> GateConfig {
    let usual = GateConfig::default();
    let part = |key, most, like| table.one(key, number(0.0, most, like));
    GateConfig {
        mode: table.one("mode", choice(MODES)).unwrap_or(usual.mode),
        regression_threshold: part("regression_threshold", 1.0, "a number from 0 to 1, such as 0.80")
            .unwrap_or(usual.regression_threshold),
        prefer: table.one("prefer", choice(PREFERENCES)).unwrap_or(usual.prefer),
        alpha: table
            .one(
                "alpha",
                number(0.0001, 0.5, "a number from 0.0001 to 0.5, such as 0.05"),
            )
            .unwrap_or(usual.alpha),
        margin: part("margin", 0.5, "a number from 0 to 0.5, such as 0.02").unwrap_or(usual.margin),
        leakage: table
            .one("leakage", number(0.01, 1000.0, "a number from 0.01 to 1000, such as 1"))
            .unwrap_or(usual.leakage),
    }
}

fn search(table: &Reader<'_>) -> SearchConfig {
    let modes = choice(&[
        ("greedy", Some(SearchMode::Greedy)),
        ("frontier", Some(SearchMode::Frontier)),
    ]);
    let usual = SearchConfig::default();
    SearchConfig {
        mode: table.one("mode", modes).unwrap_or(usual.mode),
        proposals: count(table, "proposals", usual.proposals.into(), 1, 16),
        prune: count(table, "prune", usual.prune.into(), 0, 1_000),
    }
}

fn budget(table: &Reader<'_>) -> BudgetConfig {
    BudgetConfig {
        experiments: count(table, "experiments", 6, 1, 1_000_000),
        task_runs: count(table, "task_runs", 2000, 1, 1_000_000_000),
        usd: table
            .one("usd", number(0.0, 1e9, "an amount of US dollars, 0 or more"))
            .unwrap_or(20.0),
        wall_ms: table.one("wall", duration).unwrap_or(3 * 3_600_000),
    }
}

/// A whole number from `least` to `most`, which fits the type it is asked as.
pub(super) fn count<N: TryFrom<u64>>(table: &Reader<'_>, key: &str, default: u64, least: u64, most: u64) -> N {
    let number = table.one(key, whole(least, most)).unwrap_or(default);
    N::try_from(number).ok().expect("the limits fit the type")
}

fn glob(value: &DeValue<'_>) -> Result<String, Mistake> {
    let written = text(value)?;
    match Glob::new(&written) {
        Ok(_) => Ok(written),
        Err(error) => Err(Mistake::new(
            format!("has \"{written}\", which is not a glob: {}", error.kind()),
            "write paths such as \"agent/**\" or \"prompts/*.md\"",
        )),
    }
}
