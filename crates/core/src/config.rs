//! `sprag.toml`, checked: every key has a default that works, and every mistake is named with its line and its mend.

mod agent_model;
mod convert;
mod knob;
mod model;
mod placeholder;
mod problem;
mod proposer;
mod read;
mod reader;
mod recipe;
mod redact;
mod sandbox;

pub use agent_model::AgentModelConfig;
pub use model::ModelConfig;
pub use problem::{Problem, render_problems};
pub use redact::{Pattern, RedactConfig};
pub use sandbox::{SandboxConfig, SandboxTier};

use crate::curation::Review;
use crate::edit::Position;
use crate::hash;
use crate::search::SearchConfig;
use crate::severity::SeverityLabels;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Reads `sprag.toml`. Every mistake is found in one go, in the order of the lines; a text that is not TOML names only where it breaks.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    read::parse(text)
}

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// `[harness]`
    pub harness: HarnessConfig,
    /// `[runner]`
    pub runner: RunnerConfig,
    /// `[sandbox]`. Not in the digest: it says what foreign code may reach, and not what is found.
    #[serde(skip)]
    pub sandbox: SandboxConfig,
    /// `[signals]`
    pub signals: SignalsConfig,
    /// `[traffic]`
    pub traffic: TrafficConfig,
    /// `[cases]`
    pub cases: CasesConfig,
    /// `[model]`; without it everything works without a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelConfig>,
    /// `[proposer]`
    pub proposer: ProposerConfig,
    /// `[gate]`
    pub gate: GateConfig,
    /// `[budget]`
    pub budget: BudgetConfig,
    /// `[redact]`
    #[serde(skip_serializing_if = "RedactConfig::is_default")]
    pub redact: RedactConfig,
    /// `[review]`: who confirms what is new.
    #[serde(skip_serializing_if = "Review::is_default")]
    pub review: Review,
    /// `[search]`: how the next change is looked for.
    #[serde(skip_serializing_if = "SearchConfig::is_default")]
    pub search: SearchConfig,
    /// `[[recipe]]`, in the order they are tried.
    pub recipes: Vec<Recipe>,
}

impl Config {
    /// 32 hexadecimal digits that name this configuration by its content: comments, order and keys that repeat a default do not count.
    /// Nor do `runner.concurrency`, `budget.wall` and the limits and prices of the model, which say how fast a run goes and what it costs
    /// and not what it finds, so that a run can be resumed with others.
    pub fn digest(&self) -> String {
        let mut what = self.clone();
        what.runner.concurrency = 0;
        what.budget.wall_ms = 0;
        what.model = what.model.map(ModelConfig::without_limits);
        hash::of(&what)
    }
}

/// What a candidate may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HarnessConfig {
    /// Globs of files a candidate may change. Default `["agent/**"]`.
    pub paths: Vec<String>,
    /// Globs of files it may not, on top of what is always protected.
    pub protect: Vec<String>,
}

impl Default for HarnessConfig {
    fn default() -> Self {
        Self {
            paths: vec!["agent/**".to_owned()],
            protect: Vec::new(),
        }
    }
}

/// How the agent is run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunnerConfig {
    /// `worker` or `command`.
    pub kind: RunnerKind,
    /// The program and its arguments; `{project}` stands for the absolute path of the project.
    pub command: Vec<String>,
    /// Names of environment variables that the runner gets on top of the harmless ones. Secrets must be named here to be passed.
    pub env: Vec<String>,
    /// The models that the agent may ask through sprag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<AgentModelConfig>,
    /// For kind `command`: the tasks of each split, since there is no worker to ask.
    pub tasks: CommandTasks,
    /// For kind `command`: how the command reports.
    pub report: ReportKind,
    /// Runs at a time. Default 2.
    pub concurrency: usize,
    /// Time limit of one run, in milliseconds. Default 120 s.
    pub timeout_ms: u64,
    /// Trials a task in the traffic. Default 1.
    pub trials: u32,
    /// How often a run that ends in an error is tried again. Default 2.
    pub retries: u32,
}

/// The two ways to run an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerKind {
    /// A long-lived process that speaks the worker protocol.
    Worker,
    /// One process a run.
    Command,
}

/// The tasks of a `command` runner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CommandTasks {
    /// Traffic.
    pub train: Vec<String>,
    /// Held out.
    pub validation: Vec<String>,
}

/// What a `command` run leaves behind in `{out}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// A result object of the worker protocol.
    Result,
    /// `JUnit` XML.
    Junit,
    /// promptfoo results.
    Promptfoo,
    /// An Inspect log.
    Inspect,
}

/// Where failures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignalsConfig {
    /// Labels of issues. Default `["agent-failure"]`.
    pub issue_labels: Vec<String>,
    /// Artifact name patterns.
    pub artifacts: Vec<String>,
    /// Workflow files whose artifacts are read.
    pub workflows: Vec<String>,
    /// Labels that say how bad an issue is, besides the usual spellings. Not in the digest when there are none.
    #[serde(skip_serializing_if = "SeverityLabels::is_default")]
    pub severity: SeverityLabels,
    /// Where things stand in records of the team's own making. Not in the digest when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Mapping>,
}

/// Where things stand in the records of a trace file of the team's own making: JSON pointers such as `/case/id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Mapping {
    /// The list of messages, in a record.
    pub messages: String,
    /// The task, in a record.
    pub task: Option<String>,
    /// Which repetition, in a record.
    pub trial: Option<String>,
    /// Whether the run passed, in a record.
    pub passed: Option<String>,
    /// The score, in a record.
    pub score: Option<String>,
    /// How bad a failure is, in a record: `critical`, `high`, `P1`, … Not in the digest when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// Who speaks, in a message. Default `/role`.
    pub role: Option<String>,
    /// What is said, in a message. Default `/content`.
    pub content: Option<String>,
    /// The list of calls, in a message. Default `/tool_calls`.
    pub tool_calls: Option<String>,
    /// The tool, in a call. Without it calls are read as `OpenAI` writes them.
    pub tool_name: Option<String>,
    /// The arguments, in a call. Default `/arguments`.
    pub tool_arguments: Option<String>,
    /// The id, in a call. Default `/id`.
    pub tool_call_id: Option<String>,
    /// The id of the call that a message answers, in a message. Default `/tool_call_id`.
    pub answers: Option<String>,
    /// Whether the call that a message answers failed, in a message. Default `/error`.
    pub error: Option<String>,
}

/// How traffic is cut into batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrafficConfig {
    /// Tasks a batch. Default 10.
    pub batch_size: usize,
}

/// How failures become eval cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CasesConfig {
    /// How often a failure must be seen on the incumbent before it is a case. Default 2.
    pub fails_before: u32,
}

/// Who proposes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProposerConfig {
    /// Default `recipes`.
    pub kind: ProposerKind,
    /// For kind `command`: a coding agent and its arguments; `{brief}` stands for the path of the brief.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// For kind `command`: names of environment variables that it gets on top of the harmless ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// For kind `command`: the models that it may ask through sprag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<AgentModelConfig>,
    /// For kind `command`: its time limit, in milliseconds. Default 15 min. Not in the digest.
    #[serde(skip)]
    pub timeout_ms: u64,
    /// For kind `model`: its limits.
    #[serde(skip_serializing_if = "EditLimits::is_default")]
    pub limits: EditLimits,
}

/// How much a model may do for one proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EditLimits {
    /// Answers of the model. Default 40.
    pub steps: u32,
    /// Runs of train tasks. Default 6.
    pub runs: u32,
    /// Tokens, read and written. Default 400,000.
    pub tokens: u64,
}

impl Default for EditLimits {
    fn default() -> Self {
        Self {
            steps: 40,
            runs: 6,
            tokens: 400_000,
        }
    }
}

impl EditLimits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The proposers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposerKind {
    /// Templates of `[[recipe]]`, no model.
    Recipes,
    /// The model of `[model]`, which edits.
    Model,
    /// A coding agent's command.
    Command,
}

/// The usual rate of false acceptances.
const USUAL_ALPHA: f64 = 0.05;

/// How a candidate is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateConfig {
    /// The rule. Default `efficient`.
    pub mode: GateMode,
    /// `strict`: what part of the regression suite must pass, from 0 to 1. Default 0.80.
    pub regression_threshold: f64,
    /// `efficient`: what weighs more. Default `balance`.
    #[serde(skip_serializing_if = "is_balance")]
    pub prefer: Preference,
    /// `assured`: the rate of false acceptances. Default 0.05.
    #[serde(skip_serializing_if = "is_usual_alpha")]
    pub alpha: f64,
    /// `assured`: how much worse a candidate may be, from 0 to 1; with 0 it must be better. Default 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub margin: f64,
    /// How many bits a held-out task the answers about the validation set may tell, before it is worn out; see [`crate::gate::holdout`]. Default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub leakage: f64,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            mode: GateMode::Efficient,
            regression_threshold: 0.80,
            prefer: Preference::Balance,
            alpha: USUAL_ALPHA,
            margin: 0.0,
            leakage: 1.0,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_balance(prefer: &Preference) -> bool {
    *prefer == Preference::Balance
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_usual_alpha(alpha: &f64) -> bool {
    alpha.to_bits() == USUAL_ALPHA.to_bits()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(margin: &f64) -> bool {
    *margin == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(leakage: &f64) -> bool {
    leakage.to_bits() == 1.0_f64.to_bits()
}

/// The rules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateMode {
    /// By what is expected to be better, with each run bought while it is worth its price.
    Efficient,
    /// By proof, at a rate of false acceptances.
    Assured,
    /// One trial a task; regression at or above the threshold, then validation at or above the best seen.
    Strict,
}

/// How growth, harm and the price of a run are weighed against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// A point of score is worth twice as many runs.
    Growth,
    /// A change is kept at even odds, and a point of score is worth 500 runs.
    Balance,
    /// A change is kept at four in five.
    Safety,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BudgetConfig {
    /// Experiments a batch. Default 6.
    pub experiments: u32,
    /// Task runs in all. Default 2000.
    pub task_runs: u64,
    /// US dollars in all. Default 20.
    pub usd: f64,
    /// Wall time in milliseconds. Default 3 h.
    pub wall_ms: u64,
}

/// One template: how failures of some mechanisms become an edit of a structured harness file.
///
/// Placeholders in string values, filled from the cluster's records by the proposer:
/// `{title}` (a name for the new entry), `{say}` (what the agent should have told), `{conditions}` (a list), `{calls}` (a list). An entry with none of the last three is written as it is,
/// with `{title}`, `{tool}`, `{finding}` (what went wrong in one run) and `{should}` (what should have been done).
/// In an entry of `few_shot` they are filled from a run that passed: `{input}` (what the person said), `{output}` (what the agent said last), `{tool}` and `{arguments}` (its only
/// call), `{calls}` (all of them).
/// A string that is nothing but one placeholder takes the value with its type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Its name, unique.
    pub name: String,
    /// Idents of miner rules it answers to, such as `missing_action`.
    pub mechanisms: Vec<String>,
    /// The harness file it edits; its ending says how (`toml`, `yaml`/`yml`, `json`, `jsonl`, `md`).
    pub file: String,
    /// What it does.
    pub op: RecipeOp,
    /// Where in the file: a dotted path of an array (of tables), a key, or a Markdown heading. Empty for JSONL.
    pub at: String,
    /// For `append` and `few_shot`: the entry with placeholders. Else unused.
    pub entry: Value,
    /// For `append`: the positions to search, in order. Default `["end"]`.
    pub positions: Vec<Position>,
    /// For `set`: the values to search, in order.
    pub values: Vec<Value>,
    /// How one call is written in this harness. Placeholders `{tool}`, `{arguments}`.
    pub call: Option<Value>,
    /// How an argument refers to a field of an earlier tool result: a string with `{tool}` and `{field}`, such as `"{{tool}.{field}}"`.
    pub reference: Option<String>,
    /// How a condition is written in this harness, by kind; a kind that is absent is not used.
    pub condition: ConditionTemplates,
    /// How the harness can be made to look at something it does not look at yet.
    pub observe: Option<Observe>,
    /// For `knob`: what the key may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knob: Option<Knob>,
    /// For `few_shot`: how many examples there may be, and how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
}

/// The operations of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecipeOp {
    /// Adds an entry to a list.
    Append,
    /// Gives a key one of some values.
    Set,
    /// Searches the value of a key.
    Knob,
    /// Adds train runs that passed to a list of examples.
    FewShot,
}

/// What the key of a knob may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// A whole number, both ends included.
    Int {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// A number, both ends included.
    Float {
        /// The least.
        least: f64,
        /// The most.
        most: f64,
    },
    /// One of these, which have no order; at least two. A switch is `[false, true]`.
    Choice(Vec<Value>),
}

/// How many examples a list may have, and how long they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FewShot {
    /// The most entries of the list, those of people included. Default 8.
    pub most: usize,
    /// The most characters of an entry, written as JSON. Default 600.
    pub length: usize,
}

/// How conditions on observations are written. Placeholders: `{tool}`, `{line}`, `{field}`, `{value}`, `{phrase}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConditionTemplates {
    /// The latest result of a tool has a line.
    pub line: Option<Value>,
    /// The latest result of a tool lacks a line.
    pub no_line: Option<Value>,
    /// A field of the latest JSON result equals a value.
    pub field: Option<Value>,
    /// A numeric field is at least a value.
    pub at_least: Option<Value>,
    /// A numeric field is at most a value.
    pub at_most: Option<Value>,
    /// The input that started the run contains a phrase.
    pub phrase: Option<Value>,
}

/// An edit that adds one read call to what the harness looks at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Observe {
    /// The list to append to; the file is the recipe's.
    pub at: String,
    /// The entry. Placeholders `{tool}`, `{arguments}`.
    pub entry: Value,
    /// Constant values for required arguments of read tools, by argument name, where the harness's author knows one.
    pub arguments: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests;
