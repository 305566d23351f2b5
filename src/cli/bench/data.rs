//! Reads the folder of labelled failures: what a bot would see of each run, and apart from it what people or the evaluator say.
//!
//! The two never meet in one type, so that no label can reach the miner by mistake. The formats are described in `docs/benchmark.md`.

use crate::error::{CommandError, Exit};
use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sprag_core::failure::FailureKind;
use sprag_core::id::TaskId;
use sprag_core::trace::read::{ReadTrace, read_any};
use sprag_core::trace::{Check, Expected, ExpectedAction, Role, Step, Termination, ToolCall, Trace};
use std::collections::BTreeMap;
use std::path::Path;

/// One run as a bot would see it.
pub(super) struct Run {
    pub(super) id: String,
    pub(super) task: TaskId,
    pub(super) passed: bool,
    pub(super) trace: Trace,
}

/// What is known of a run of the τ set.
pub(super) struct TauTruth {
    /// What should have been done, for the mode with ground truth.
    pub(super) expected: Expected,
    /// What the evaluator looked at, for the same mode.
    pub(super) checks: Vec<Check>,
    /// The label.
    pub(super) mechanism: Option<String>,
}

/// What people say of a failure.
pub(super) struct Label {
    pub(super) id: String,
    pub(super) step: Option<usize>,
    pub(super) category: Option<String>,
    /// Who is to blame, where they say so.
    pub(super) kind: Option<FailureKind>,
}

/// An issue of a tracker.
#[derive(Deserialize)]
pub(super) struct Issue {
    pub(super) id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: String,
}

/// The ids of two issues that are one.
pub(super) type Pair = (String, String);

/// How much of an issue's text is read, in characters: what follows is mostly logs, which many issues share.
const READ: usize = 1_000;

impl Issue {
    /// What the issue is about: its title, which counts three times, and the beginning of its text.
    pub(super) fn text(&self) -> String {
        let body: String = self.body.chars().take(READ).collect();
        format!("{0}\n{0}\n{0}\n{body}", self.title)
    }
}

/// The τ runs, and their truths by id.
pub(super) fn tau(dir: &Path) -> Result<(Vec<Run>, BTreeMap<String, TauTruth>), CommandError> {
    let runs = lines::<TauRun>(dir, "tau/traces.jsonl")?
        .into_iter()
        .map(TauRun::run)
        .collect();
    let truths = lines::<TauGold>(dir, "tau/gold.jsonl")?;
    Ok((runs, truths.into_iter().map(TauGold::truth).collect()))
}

/// A set with labels of people: its runs and their labels.
pub(super) fn labelled(dir: &Path, set: &str) -> Result<(Vec<Run>, Vec<Label>), CommandError> {
    let histories = lines::<History>(dir, &format!("labels/{set}.traces.jsonl"))?;
    let labels = lines::<LabelLine>(dir, &format!("labels/{set}.gold.jsonl"))?;
    let label = |line: LabelLine| Label {
        id: line.id,
        step: line.root_step_index.or(line.mistake_step.and_then(Number::whole)),
        category: line.root_category,
        kind: line.root_agent.as_deref().map(blamed),
    };
    Ok((
        histories.into_iter().map(History::run).collect(),
        labels.into_iter().map(label).collect(),
    ))
}

/// Whom a label blames: the person that somebody plays, or one of the agents.
fn blamed(agent: &str) -> FailureKind {
    if agent.eq_ignore_ascii_case("user") {
        FailureKind::UserSimulator
    } else {
        FailureKind::Agent
    }
}

/// Results of runs that the machinery broke, as they were written, and how many they are; none where the folder has no such set.
pub(super) fn infrastructure(dir: &Path) -> Result<(Vec<ReadTrace>, usize), CommandError> {
    let Ok(files) = fs::read_dir(dir.join("infra")) else {
        return Ok((Vec::new(), 0));
    };
    let mut names: Vec<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .map(|name| name.trim_end_matches(".zst").to_owned())
        .filter(|name| name.ends_with(".jsonl"))
        .collect();
    names.sort();
    let (mut runs, mut count) = (Vec::new(), 0);
    for name in names {
        let text = text(dir, &format!("infra/{name}"))?;
        count += text.lines().filter(|line| !line.trim().is_empty()).count();
        runs.extend(read_any(&name, text.as_bytes()).0);
    }
    Ok((runs, count))
}

/// Issues and the pairs of them that are one.
pub(super) fn issues(dir: &Path) -> Result<(Vec<Issue>, Vec<Pair>), CommandError> {
    let issues = lines(dir, "clustering/gitbugs_hadoop.jsonl")?;
    let pairs = text(dir, "clustering/gitbugs_hadoop_duplicates.csv")?;
    // An issue may have several duplicates, quoted as one value.
    let pairs = pairs.lines().skip(1).flat_map(|line| {
        let mut ids = line
            .split(',')
            .map(|id| id.trim_matches(|letter: char| !letter.is_alphanumeric()));
        let first = ids.next().unwrap_or_default();
        ids.map(|other| (first.to_owned(), other.to_owned()))
            .collect::<Vec<_>>()
    });
    Ok((issues, pairs.collect()))
}

#[derive(Deserialize)]
struct TauRun {
    id: String,
    domain: String,
    task_id: Value,
    passed: bool,
    #[serde(default)]
    termination: Option<Termination>,
    steps: Vec<TauStep>,
}

#[derive(Deserialize)]
struct TauStep {
    role: Role,
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<TauCall>>,
    tool_call_id: Option<String>,
    error: Option<bool>,
}

#[derive(Deserialize)]
struct TauCall {
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Value,
    requestor: Option<String>,
}

impl TauRun {
    fn run(self) -> Run {
        let task = match &self.task_id {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        Run {
            id: self.id,
            task: TaskId::new(format!("{} {task}", self.domain)),
            passed: self.passed,
            trace: Trace {
                steps: self.steps.into_iter().map(TauStep::step).collect(),
                termination: self.termination.unwrap_or_default(),
                ..Trace::default()
            },
        }
    }
}

impl TauStep {
    fn step(self) -> Step {
        let content = self.content.unwrap_or_default();
        let calls = self.tool_calls.unwrap_or_default().into_iter();
        Step {
            role: self.role,
            error: self.role == Role::Tool && (self.error == Some(true) || content.trim_start().starts_with("Error:")),
            tool_calls: calls
                .map(|call| ToolCall {
                    id: call.id.unwrap_or_default(),
                    name: call.name,
                    arguments: arguments(call.args),
                    requestor: call.requestor.filter(|who| who == "user"),
                })
                .collect(),
            call_id: self.tool_call_id,
            content,
        }
    }
}

#[derive(Deserialize)]
struct TauGold {
    id: String,
    #[serde(default)]
    expected_actions: Vec<TauAction>,
    #[serde(default)]
    communicate: Option<Vec<String>>,
    #[serde(default)]
    communicate_fail: Option<Vec<String>>,
    #[serde(default)]
    checks: BTreeMap<String, Option<f64>>,
    det: Option<Det>,
}

#[derive(Deserialize)]
struct TauAction {
    name: String,
    #[serde(default)]
    args: Value,
    requestor: Option<String>,
    compare_args: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Det {
    mechanism: String,
}

impl TauGold {
    fn truth(self) -> (String, TauTruth) {
        let actions = self.expected_actions.into_iter().map(|action| ExpectedAction {
            name: action.name,
            arguments: arguments(action.args),
            compare: action.compare_args,
            requestor: action.requestor.filter(|who| who == "user"),
        });
        let communicate = self.communicate.unwrap_or_default();
        let unmet = self.communicate_fail.unwrap_or_default();
        let mut checks: Vec<Check> = communicate
            .iter()
            .map(|text| check(text, "communicate", !unmet.contains(text)))
            .collect();
        let effects = [("db", "state"), ("env", "assertion")];
        checks.extend(effects.iter().filter_map(|(key, kind)| {
            let score = self.checks.get(*key).copied().flatten()?;
            Some(check(key, kind, score >= 1.0))
        }));
        let truth = TauTruth {
            expected: Expected {
                actions: actions.collect(),
                communicate,
            },
            checks,
            mechanism: self.det.map(|det| det.mechanism),
        };
        (self.id, truth)
    }
}

fn check(name: &str, kind: &str, passed: bool) -> Check {
    Check {
        name: name.to_owned(),
        kind: kind.to_owned(),
        passed,
        detail: String::new(),
    }
}

#[derive(Deserialize)]
struct LabelLine {
    id: String,
    root_step_index: Option<usize>,
    root_category: Option<String>,
    root_agent: Option<String>,
    mistake_step: Option<Number>,
}

/// A number, or a text that holds one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(usize),
    Text(String),
}

impl Number {
    fn whole(self) -> Option<usize> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

#[derive(Deserialize)]
struct History {
    id: String,
    history: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<FunctionCall>>,
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: String,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Value,
}

/// What executes code for the experts of a group chat.
const TERMINAL: &str = "computer_terminal";

impl History {
    /// One message is one step, so that the steps of the labels are those of the trace.
    fn run(self) -> Run {
        let mut steps: Vec<Step> = Vec::with_capacity(self.history.len());
        // The helper that has work to do, and the call that gave it.
        let mut asked: Option<(String, String)> = None;
        for (number, message) in (0_usize..).zip(self.history) {
            let answers = asked.take_if(|(helper, _)| *helper == message.speaker());
            let step = message.step(number, steps.last_mut(), answers.map(|(_, call)| call));
            // What is given on while a helper still works is answered first.
            let given = step.tool_calls.iter().find(|_| step.role == Role::Assistant);
            asked = given.map(|call| (call.name.clone(), call.id.clone())).or(asked);
            steps.push(step);
        }
        // What a group chat begins with is its task, whoever is said to say it, unless it is already code that is run.
        if let Some(first) = steps
            .first_mut()
            .filter(|step| step.role == Role::Assistant && step.tool_calls.is_empty())
        {
            first.role = Role::User;
        }
        Run {
            task: TaskId::new(self.id.clone()),
            id: self.id,
            passed: false,
            trace: Trace {
                steps,
                ..Trace::default()
            },
        }
    }
}

impl Message {
    /// Who speaks, in lower case.
    fn speaker(&self) -> String {
        self.name.as_deref().unwrap_or(&self.role).to_lowercase()
    }

    /// The step of this number, after the one `before` it; `answers` is the call that it answers, if its speaker had been asked something.
    fn step(self, number: usize, before: Option<&mut Step>, answers: Option<String>) -> Step {
        let speaker = self.speaker();
        let content = self.content.unwrap_or_default();
        let step = |role, tool_calls| Step {
            role,
            content: content.clone(),
            tool_calls,
            ..Step::default()
        };
        // The name of a tool's message is that of the tool.
        if self.role == "tool" {
            return Step {
                call_id: self.tool_call_id,
                error: content.trim_start().starts_with("Error:"),
                ..step(Role::Tool, Vec::new())
            };
        }
        // An orchestrator that hands a piece of work on calls a tool, and who does the work answers.
        if let Some((_, helper)) = speaker.split_once("(-> ") {
            let arguments = json!({"request": content}).as_object().cloned().unwrap_or_default();
            return step(
                Role::Assistant,
                vec![call(helper.trim_end_matches(')'), number, arguments)],
            );
        }
        if answers.is_some() {
            return Step {
                call_id: answers,
                ..step(Role::Tool, Vec::new())
            };
        }
        if speaker == TERMINAL {
            let mut answers = None;
            if let Some(before) = before.filter(|step| step.role != Role::Tool) {
                let arguments = json!({"code": before.content}).as_object().cloned().unwrap_or_default();
                let run = call(TERMINAL, number, arguments);
                answers = Some(run.id.clone());
                before.tool_calls.push(run);
            }
            return Step {
                call_id: answers,
                error: content.trim_start().starts_with("exitcode: ")
                    && !content.trim_start().starts_with("exitcode: 0"),
                ..step(Role::Tool, Vec::new())
            };
        }
        match (self.name.is_some(), self.role.as_str()) {
            (false, "system") => step(Role::System, Vec::new()),
            (false, "user" | "human") => step(Role::User, Vec::new()),
            _ => {
                let calls = self.tool_calls.unwrap_or_default().into_iter();
                let calls = calls.map(|made| ToolCall {
                    id: made.id,
                    ..call(&made.function.name, number, arguments(made.function.arguments))
                });
                step(Role::Assistant, calls.collect())
            }
        }
    }
}

/// A call with an id of its own: the number of a step.
fn call(name: &str, number: usize, arguments: Map<String, Value>) -> ToolCall {
    ToolCall {
        id: number.to_string(),
        name: name.to_owned(),
        arguments,
        ..ToolCall::default()
    }
}

/// Arguments as an object, or as the text of one.
fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(arguments) => arguments,
        Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
        _ => Map::new(),
    }
}

fn lines<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<Vec<T>, CommandError> {
    let text = text(dir, name)?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                CommandError::new(
                    Exit::Config,
                    format!("{}, line {number}: {error}", dir.join(name).display()),
                    "docs/benchmark.md describes the files of the folder",
                )
            })
        })
        .collect()
}

/// A file, or the same one compressed with zstd.
fn text(dir: &Path, name: &str) -> Result<String, CommandError> {
    let unreadable = |error: std::io::Error| {
        CommandError::new(
            Exit::Config,
            error.to_string(),
            "name the folder of the labelled failures with --data; docs/benchmark.md describes it",
        )
    };
    let plain = dir.join(name);
    let packed = dir.join(format!("{name}.zst"));
    let bytes = if packed.exists() {
        zstd::decode_all(fs::File::open(packed).map_err(unreadable)?).map_err(unreadable)?
    } else {
        fs::read(plain).map_err(unreadable)?
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(history: &str) -> Trace {
        let history: History = serde_json::from_str(&format!(r#"{{"id":"1","history":[{history}]}}"#)).unwrap();
        history.run().trace
    }

    #[test]
    fn a_helper_answers_also_when_somebody_speaks_before_it() {
        let run = read(
            r#"{"role":"human","content":"Who won?"}, {"role":"Boss (-> Surfer)","content":"Look it up."},
               {"role":"Boss (thought)","content":"Next: Surfer"}, {"role":"Surfer","content":"a page"}, {"role":"Surfer","content":"a word"}"#,
        );
        let exchanges = run.exchanges();
        assert_eq!((exchanges.len(), exchanges[0].step), (1, 1));
        assert_eq!(exchanges[0].answer.map(|(at, _)| at), Some(3));
        assert_eq!(run.steps[4].role, Role::Assistant, "nobody asked again");
    }

    #[test]
    fn a_message_of_a_tool_is_its_answer_whatever_it_is_called() {
        let call = r#"{"id":"c1","function":{"name":"refund","arguments":"{\"order\":7}"}}"#;
        let run = read(&format!(
            r#"{{"role":"user","content":"Refund it."}}, {{"role":"assistant","tool_calls":[{call}]}},
               {{"role":"tool","name":"refund","tool_call_id":"c1","content":"Error: too late"}}"#
        ));
        let exchanges = run.exchanges();
        assert!(exchanges[0].answer.is_some_and(|(at, step)| at == 2 && step.error));
        assert_eq!(exchanges[0].call.arguments["order"], 7);
    }

    #[test]
    fn a_label_blames_the_person_or_an_agent() {
        assert_eq!(blamed("User"), FailureKind::UserSimulator);
        assert_eq!(blamed("Orchestrator"), FailureKind::Agent);
    }
}
