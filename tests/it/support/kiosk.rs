//! A small agent and its tasks, made up for tests: a kiosk that plays `agent/steps.toml` on tickets. It is deterministic, needs no
//! process, and counts every run it is paid for.
//!
//! Its first steps do nothing, so nearly all tickets fail. What it takes to pass them: a line of a text, a field of a JSON result, an
//! argument that is a field of another result, a tool that nobody looks at yet, something that shows only after another fix, a word
//! that no recipe can say, and one condition that the train tickets cannot tell from another one, so that the first try is rejected by the held-out tickets.

use Problem::{Fine, Gift, Late, Locked, Owed, Rude, SoldOut};
use serde_json::{Map, Value, json};
use sprag::runner::{BoxFuture, Job, Runner, RunnerError};
use sprag_core::failure::FailureKind;
use sprag_core::harness::Harness;
use sprag_core::id::TaskId;
use sprag_core::trace::{Effect, Expected, ExpectedAction, Role, Step, Termination, ToolCall, ToolSpec, Trace};
use sprag_core::trial::{Split, Trial, TrialStatus, Usage};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc::UnboundedSender;

/// The harness that a run begins with.
pub(crate) const STEPS: &str = r#"rounds = 1 # how often the steps are played

[[look]]
tool = "order"

[[look]]
tool = "customer"

[[step]]
name = "Say goodbye"
say = "Goodbye."
"#;

/// How the steps may be changed.
pub(crate) const CONFIG: &str = r#"
[runner]
command = ["kiosk"]

[traffic]
batch_size = 5

[budget]
experiments = 5

[[recipe]]
name = "add the missing step"
mechanisms = ["missing_action"]
file = "agent/steps.toml"
op = "append"
at = "step"
positions = ["before_last", "end"]
reference = "{{tool}.{field}}"
call = { tool = "{tool}", args = "{arguments}" }
entry = { name = "{title}", when = "{conditions}", do = "{calls}" }

[recipe.condition]
line = { tool = "{tool}", has = "{line}" }
field = { tool = "{tool}", field = "{field}", is = "{value}" }

[recipe.observe]
at = "look"
entry = { tool = "{tool}", args = "{arguments}" }

[[recipe]]
name = "play the steps twice"
mechanisms = ["missing_action"]
file = "agent/steps.toml"
op = "set"
at = "rounds"
values = [2]
"#;

/// What is behind a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    /// Refund it.
    Late,
    /// Refund it; a voucher is owed then, which shows only after the refund.
    Owed,
    /// Unlock the account.
    Locked,
    /// Tell the customer; nobody looks at the stock yet.
    SoldOut,
    /// A present is due to golden customers. In the train tickets they, and nobody else, have orders of high value.
    Gift,
    /// Say sorry. No recipe can.
    Rude,
    /// Nothing.
    Fine,
}

const TRAIN: &[&[Problem]] = &[
    &[Late],
    &[Locked],
    &[Gift],
    &[Late, Locked],
    &[Rude],
    &[SoldOut],
    &[Owed],
    &[Gift, Locked],
    &[Fine],
    &[Owed, Gift],
    &[Late, SoldOut],
    &[Rude],
];

const VALIDATION: &[&[Problem]] = &[
    &[Late],
    &[Locked],
    &[Fine],
    &[Gift],
    &[SoldOut],
    &[Owed],
    &[Fine, Locked],
];

/// The train task that never gets a verdict.
pub(crate) const BROKEN: &str = "k12";

/// A run that was paid for: harness, task, trial.
pub(crate) type Paid = (String, String, u32);

/// The agent and its tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kiosk {
    /// How many runs end at the same time, in the order opposite to that in which they began.
    pub(crate) concurrency: usize,
    /// How often each run was paid for, over all processes that share it.
    pub(crate) paid: Arc<Mutex<BTreeMap<Paid, u32>>>,
    /// A tool that has become a nuisance: with a step that calls it, tickets that do not need it fail.
    pub(crate) nuisance: Option<String>,
    /// A task that passes only every third time, until the agent has learned so many steps more. Then no run is like another one.
    pub(crate) wavers: Option<(&'static str, usize)>,
    /// What people and tools say besides, in every trace and error.
    pub(crate) slips: String,
    /// Whether it takes recorded inputs. Each is as the first ticket.
    pub(crate) cases: bool,
    /// Whether it leaves the verdict of recorded inputs to whoever can judge what they expect.
    pub(crate) judged: bool,
    /// What runs of held-out tasks begin with.
    pub(crate) held_out_inputs: Vec<String>,
}

impl Kiosk {
    /// A kiosk that makes one run after the other.
    pub(crate) fn new() -> Self {
        Self {
            concurrency: 1,
            ..Self::default()
        }
    }

    /// Lets a run be one of its own, and the task that wavers fail.
    fn waver(&self, harness: &Harness, job: &Job, trial: &mut Trial) {
        let Some((task, enough)) = self.wavers else { return };
        if let Some(trace) = &mut trial.trace {
            trace
                .steps
                .insert(0, said(Role::System, &format!("This is call {}.", job.seed)));
        }
        let steps = harness.get("agent/steps.toml").unwrap_or_default();
        let learned = steps.matches("[[step]]").count() - 1;
        if job.task.as_str() == task && learned < enough && job.trial % 3 != 1 {
            trial.status = TrialStatus::Failed;
            trial.score = 0.0;
        }
    }

    /// What was paid for.
    pub(crate) fn paid(&self) -> BTreeMap<Paid, u32> {
        self.paid.lock().unwrap().clone()
    }
}

impl Runner for Kiosk {
    fn list(&self, split: Split) -> BoxFuture<'_, Result<Vec<TaskId>, RunnerError>> {
        let ids = match split {
            Split::Train => (0..=TRAIN.len()).map(|n| TaskId::new(format!("k{n:02}"))).collect(),
            Split::Validation => (0..VALIDATION.len())
                .map(|n| TaskId::new(format!("held-{n}")))
                .collect(),
            Split::Test => Vec::new(),
        };
        Box::pin(async move { Ok(ids) })
    }

    fn held_out_inputs(&self) -> Vec<String> {
        self.held_out_inputs.clone()
    }

    fn cases_refused(&self) -> BoxFuture<'_, Result<Option<String>, RunnerError>> {
        let why = (!self.cases).then(|| "this runner takes no recorded inputs".to_owned());
        Box::pin(async move { Ok(why) })
    }

    fn run<'a>(
        &'a self,
        harness: &'a Harness,
        jobs: &'a [Job],
        done: UnboundedSender<(usize, Trial)>,
    ) -> BoxFuture<'a, Result<(), RunnerError>> {
        Box::pin(async move {
            let id = harness.id();
            let jobs: Vec<(usize, &Job)> = jobs.iter().enumerate().collect();
            for together in jobs.chunks(self.concurrency) {
                for (at, job) in together.iter().rev() {
                    let paid = (id.to_string(), job.task.to_string(), job.trial);
                    *self.paid.lock().unwrap().entry(paid).or_default() += 1;
                    let mut trial = make(harness, job, self.nuisance.as_deref());
                    slip(&mut trial, &self.slips);
                    self.waver(harness, job, &mut trial);
                    if let Some(case) = job.case.as_ref().filter(|_| self.judged) {
                        let rubric = case["expect"][0]["rubric"].as_str().unwrap().to_owned();
                        trial = Trial {
                            trace: trial.trace,
                            rubrics: vec![rubric],
                            ..Trial::errored(FailureKind::Evaluator, "nobody judged")
                        };
                    }
                    done.send((*at, trial)).ok();
                }
                // As a process would: what has ended is taken before more is begun.
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}

fn make(harness: &Harness, job: &Job, nuisance: Option<&str>) -> Trial {
    let name = job.task.as_str();
    let cents = f64::from(u8::try_from(name.len()).unwrap() + name.as_bytes()[name.len() - 1]) / 300.0;
    let usage = Usage {
        usd: cents / 100.0,
        ..Usage::default()
    };
    if name == BROKEN {
        return Trial {
            usage,
            ..Trial::errored(FailureKind::Infrastructure, "the kiosk has no power")
        };
    }
    let (number, problems) = match name.strip_prefix("held-") {
        Some(number) => (number.parse().unwrap(), VALIDATION),
        None if job.case.is_some() => (0, TRAIN),
        None => (name[1..].parse().unwrap(), TRAIN),
    };
    let ticket = Ticket {
        number,
        problems: problems[number],
        held_out: name.starts_with("held-"),
    };
    let steps = harness.get("agent/steps.toml").unwrap_or_default();
    let (passed, trace) = ticket.play(steps);
    let in_the_way = |tool: &str| {
        steps.contains(&format!("tool = \"{tool}\"")) && ticket.expected().iter().all(|(needed, _)| *needed != tool)
    };
    let passed = passed && !nuisance.is_some_and(in_the_way);
    Trial {
        status: if passed {
            TrialStatus::Passed
        } else {
            TrialStatus::Failed
        },
        score: f64::from(u8::from(passed)),
        usage,
        duration_ms: 1,
        trace: job.trace.then_some(trace),
        rubrics: Vec::new(),
    }
}

/// Lets a trial say something that nobody should read, where people and tools say such things.
fn slip(trial: &mut Trial, words: &str) {
    if let TrialStatus::Errored { message, .. } = &mut trial.status {
        message.push_str(words);
    }
    for step in trial
        .trace
        .iter_mut()
        .flat_map(|trace| &mut trace.steps)
        .filter(|_| !words.is_empty())
    {
        match step.role {
            Role::User => step.content.push_str(words),
            Role::Tool if step.content == "done" => step.content = json!({"done": true, "by": words}).to_string(),
            Role::Tool if !step.content.starts_with('{') => step.content = format!("{}\n{words}", step.content),
            _ => {}
        }
        for call in &mut step.tool_calls {
            call.arguments
                .insert("note".to_owned(), Value::String(words.to_owned()));
        }
    }
}

struct Ticket {
    number: usize,
    problems: &'static [Problem],
    held_out: bool,
}

impl Ticket {
    fn has(&self, problem: Problem) -> bool {
        self.problems.contains(&problem)
    }

    /// What a read tool answers.
    fn read(&self, tool: &str, refunded: bool) -> String {
        let n = self.number;
        match tool {
            "order" => {
                let status = if self.has(Late) || self.has(Owed) {
                    "LATE"
                } else {
                    "ON TIME"
                };
                // Held out, such orders are everywhere: they are not the reason for a present.
                let high = self.has(Gift) || (self.held_out && n.is_multiple_of(2));
                let value = if high { "HIGH" } else { "LOW" };
                format!(
                    "Status: {status}\nValue: {value}\nCarrier: {}",
                    ["blue", "red", "green"][n % 3]
                )
            }
            "customer" => {
                let login = if self.has(Locked) { "locked" } else { "open" };
                let tier = if self.has(Gift) { "gold" } else { "plain" };
                let (order_id, customer_id) = (format!("O-{n:03}"), format!("C-{n:03}"));
                json!({"order_id": order_id, "customer_id": customer_id, "login": login, "tier": tier}).to_string()
            }
            "stock" => {
                let stock = if self.has(SoldOut) { "NONE" } else { "PLENTY" };
                let voucher = if self.has(Owed) && refunded { "OWED" } else { "no" };
                format!("Stock: {stock}\nVoucher: {voucher}")
            }
            other => panic!("nobody has a tool `{other}`"),
        }
    }

    fn expected(&self) -> Vec<(&'static str, Map<String, Value>)> {
        let n = self.number;
        let order = || json!({"order_id": format!("O-{n:03}")}).as_object().cloned().unwrap();
        let customer = || {
            json!({"customer_id": format!("C-{n:03}")})
                .as_object()
                .cloned()
                .unwrap()
        };
        let actions = self.problems.iter().flat_map(|problem| match problem {
            Late => vec![("refund", order())],
            Owed => vec![("refund", order()), ("voucher", customer())],
            Locked => vec![("unlock", customer())],
            SoldOut => vec![("notify", order())],
            Gift => vec![("gift", customer())],
            Rude | Fine => vec![],
        });
        actions.collect()
    }

    /// Plays the steps; whether exactly what was expected was done, and the trace.
    fn play(&self, steps: &str) -> (bool, Trace) {
        let mut run = Run {
            ticket: self,
            trace: Trace {
                impact: None,
                steps: vec![said(Role::User, &format!("Please look at order O-{:03}.", self.number))],
                termination: Termination::AgentStop,
                tools: tools(),
                expected: Some(Expected {
                    actions: self.expected().into_iter().map(action).collect(),
                    communicate: self.has(Rude).then(|| "sorry".to_owned()).into_iter().collect(),
                }),
                checks: Vec::new(),
            },
            seen: BTreeMap::new(),
            done: Vec::new(),
        };
        match steps.parse::<toml::Table>() {
            Ok(steps) => run.all(&serde_json::to_value(steps).unwrap()),
            Err(_) => run.trace.termination = Termination::AgentError,
        }
        let sorted = |mut actions: Vec<(String, Map<String, Value>)>| {
            actions.sort_by_key(|action| format!("{action:?}"));
            actions
        };
        let expected = self.expected().into_iter().map(|(tool, args)| (tool.to_owned(), args));
        (
            !self.has(Rude) && sorted(run.done) == sorted(expected.collect()),
            run.trace,
        )
    }
}

fn action((tool, arguments): (&'static str, Map<String, Value>)) -> ExpectedAction {
    ExpectedAction {
        name: tool.to_owned(),
        arguments,
        ..ExpectedAction::default()
    }
}

fn said(role: Role, content: &str) -> Step {
    Step {
        role,
        content: content.to_owned(),
        ..Step::default()
    }
}

fn tools() -> Vec<ToolSpec> {
    let tool = |name: &str, effect, required: &[&str]| ToolSpec {
        name: name.to_owned(),
        effect,
        required: required.iter().map(|&name| name.to_owned()).collect(),
    };
    vec![
        tool("order", Effect::Read, &[]),
        tool("customer", Effect::Read, &[]),
        tool("stock", Effect::Read, &[]),
        tool("refund", Effect::Write, &["order_id"]),
        tool("voucher", Effect::Write, &["customer_id"]),
        tool("unlock", Effect::Write, &["customer_id"]),
        tool("notify", Effect::Write, &["order_id"]),
        tool("gift", Effect::Write, &["customer_id"]),
    ]
}

struct Run<'a> {
    ticket: &'a Ticket,
    trace: Trace,
    seen: BTreeMap<String, String>,
    done: Vec<(String, Map<String, Value>)>,
}

impl Run<'_> {
    fn all(&mut self, steps: &Value) {
        for _ in 0..steps["rounds"].as_u64().unwrap_or(1) {
            list(&steps["look"]).iter().for_each(|look| self.call(look));
            for step in list(&steps["step"]) {
                if list(&step["when"]).iter().all(|condition| self.holds(condition)) {
                    list(&step["do"]).iter().for_each(|call| self.call(call));
                    let text = step["say"].as_str();
                    self.trace.steps.extend(text.map(|text| said(Role::Assistant, text)));
                }
            }
        }
    }

    fn call(&mut self, call: &Value) {
        let tool = call["tool"].as_str().unwrap();
        let arguments = call["args"].as_object().cloned().unwrap_or_default();
        let arguments: Map<String, Value> = arguments
            .into_iter()
            .map(|(name, value)| (name, self.fill(value)))
            .collect();
        let id = format!("c{}", self.trace.steps.len());
        let answer = if tools()
            .iter()
            .any(|spec| spec.name == tool && spec.effect == Effect::Read)
        {
            let refunded = self.done.iter().any(|(tool, _)| tool == "refund");
            let answer = self.ticket.read(tool, refunded);
            self.seen.insert(tool.to_owned(), answer.clone());
            answer
        } else {
            self.done.push((tool.to_owned(), arguments.clone()));
            "done".to_owned()
        };
        let made = ToolCall {
            id: id.clone(),
            name: tool.to_owned(),
            arguments,
            requestor: None,
        };
        self.trace.steps.push(Step {
            tool_calls: vec![made],
            ..said(Role::Assistant, "")
        });
        self.trace.steps.push(Step {
            call_id: Some(id),
            ..said(Role::Tool, &answer)
        });
    }

    /// `{tool.field}` is a field of the latest result of a tool.
    fn fill(&self, value: Value) -> Value {
        let reference = value
            .as_str()
            .and_then(|text| text.strip_prefix('{')?.strip_suffix('}')?.split_once('.'));
        match reference {
            Some((tool, field)) => self.field(tool, field),
            None => value,
        }
    }

    fn field(&self, tool: &str, field: &str) -> Value {
        let json = self
            .seen
            .get(tool)
            .and_then(|text| serde_json::from_str::<Value>(text).ok());
        json.map_or(Value::Null, |json| json[field].clone())
    }

    fn holds(&self, condition: &Value) -> bool {
        let tool = condition["tool"].as_str().unwrap();
        match (condition["has"].as_str(), condition["field"].as_str()) {
            (Some(line), _) => self
                .seen
                .get(tool)
                .is_some_and(|text| text.lines().any(|have| have.contains(line))),
            (None, Some(field)) => self.field(tool, field) == condition["is"],
            (None, None) => panic!("nobody writes such a condition: {condition}"),
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
