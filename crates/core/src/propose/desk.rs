//! The desk of a model that edits: a harness in memory, the tools that change it, and what becomes of each call.
//!
//! Nothing that a model calls can fail: what makes no sense is answered with what is wrong, for the model to mend.

use super::brief::within;
use crate::candidate::Candidate;
use crate::cluster::Cluster;
use crate::harness::{FileChange, Harness, PathPolicy};
use crate::hash;
use crate::id::{CandidateId, TaskId};
use crate::mine::text::shortened;
use crate::model::{Call, Tool};
use regex::RegexBuilder;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Lines that `read` shows at a time.
const LINES: usize = 400;
/// Hits that `search` shows.
const HITS: usize = 40;
/// The most bytes of an answer.
const ANSWER: usize = 12_000;
/// The largest file that may be written, in bytes.
const FILE: usize = 256 * 1024;
/// How large a compiled search may be, in bytes.
const REGEX: usize = 1 << 20;

/// A harness that is being edited.
#[derive(Debug, Clone)]
pub struct Desk<'a> {
    base: &'a Harness,
    policy: &'a PathPolicy,
    tasks: BTreeSet<&'a TaskId>,
    now: Harness,
    notes: Vec<String>,
}

/// What comes of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was done.
    Said(String),
    /// It was not done, and why.
    Refused(String),
    /// Run this train task on the harness as it is now, and answer with its trace.
    Run(TaskId),
    /// The model is done.
    Finished(Finish),
}

/// What a proposer says of its change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finish {
    /// One line: what it does.
    pub title: String,
    /// Why it should help.
    pub hypothesis: String,
    /// The tasks that it should fix.
    pub predicted: Vec<TaskId>,
    /// What it may break.
    pub risk: String,
}

/// The tools, as a model is told of them.
pub fn tools() -> Vec<Tool> {
    let tool = |name: &str, description: &str, fields: Value, required: &[&str]| Tool {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({"type": "object", "properties": fields, "required": required}),
    };
    let text = |of: &str| json!({"type": "string", "description": of});
    let path = || text("the path of a file, from the root of the repository");
    vec![
        tool(
            "list",
            "Lists the files of the harness with their sizes.",
            json!({}),
            &[],
        ),
        tool(
            "read",
            "Shows lines of a file, at most 400 at a time, each behind its number and a tab.",
            json!({"path": path(), "from": {"type": "integer", "description": "the first line; 1 if left out"}}),
            &["path"],
        ),
        tool(
            "search",
            "Shows the lines of all files that match a regular expression.",
            json!({"pattern": text("the expression; case does not count")}),
            &["pattern"],
        ),
        tool(
            "edit",
            "Replaces a text that stands exactly once in a file, white space included.",
            json!({"path": path(), "old": text("the text as it stands there, without line numbers"), "new": text("what to put in its place")}),
            &["path", "old", "new"],
        ),
        tool(
            "create",
            "Writes a new file.",
            json!({"path": path(), "text": text("the whole file")}),
            &["path", "text"],
        ),
        tool("delete", "Deletes a file.", json!({"path": path()}), &["path"]),
        tool(
            "run",
            "Runs the agent on one of the tasks you were told of, with the harness as you have made it, and shows whether it passed and what happened. Costs money: use it to check, not to guess.",
            json!({"task": text("the id of the task")}),
            &["task"],
        ),
        tool(
            "note",
            "Keeps a thought; notes are shown again when old answers are left out.",
            json!({"text": text("the thought")}),
            &["text"],
        ),
        tool(
            "finish",
            "Hands in the harness as it is now. Say honestly what you expect: it is held against what happens.",
            json!({
                "title": text("one line: what the change does"),
                "hypothesis": text("one or two sentences: why the runs fail and why this helps"),
                "predicted_fixes": {"type": "array", "items": {"type": "string"}, "description": "ids of the tasks that should pass now"},
                "risk": text("one sentence: what it may break"),
            }),
            &["title", "hypothesis", "predicted_fixes", "risk"],
        ),
    ]
}

impl<'a> Desk<'a> {
    /// A desk with the incumbent on it. `tasks` are the train tasks that may be run.
    pub fn new(base: &'a Harness, policy: &'a PathPolicy, tasks: impl IntoIterator<Item = &'a TaskId>) -> Self {
        Self {
            base,
            policy,
            tasks: tasks.into_iter().collect(),
            now: base.clone(),
            notes: Vec::new(),
        }
    }

    /// The harness as it is now.
    pub fn harness(&self) -> &Harness {
        &self.now
    }

    /// What the model wanted to keep in mind.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Does what a model calls for.
    pub fn apply(&mut self, call: &Call) -> Answer {
        let arguments = match call.arguments() {
            Ok(arguments) => arguments,
            Err(problem) => return Answer::Refused(problem),
        };
        self.done(&call.name, &Arguments(&arguments))
            .unwrap_or_else(Answer::Refused)
    }

    fn done(&mut self, tool: &str, arguments: &Arguments<'_>) -> Result<Answer, String> {
        let said = match tool {
            "list" => self.list(),
            "read" => self.read(arguments)?,
            "search" => self.search(arguments.text("pattern")?)?,
            "edit" => self.edit(arguments)?,
            "create" => self.create(arguments)?,
            "delete" => self.delete(arguments.text("path")?)?,
            "note" => {
                self.notes.push(shortened(arguments.text("text")?, 500));
                "noted".to_owned()
            }
            "run" => return self.run(arguments.text("task")?),
            "finish" => return self.finish(arguments),
            other => {
                let names: Vec<String> = tools().into_iter().map(|tool| tool.name).collect();
                return Err(format!(
                    "there is no tool `{}`; there are {}",
                    shortened(other, 60),
                    names.join(", ")
                ));
            }
        };
        Ok(Answer::Said(within(&said, ANSWER)))
    }

    fn list(&self) -> String {
        let line =
            |(path, text): (&str, &str)| format!("{path} ({} bytes, {} lines)", text.len(), text.lines().count());
        self.now.files().map(line).collect::<Vec<_>>().join("\n")
    }

    fn text_of(&self, path: &str) -> Result<&str, String> {
        self.now.get(path).ok_or_else(|| {
            format!(
                "there is no file `{}` in the harness; `list` names them",
                shortened(path, 200)
            )
        })
    }

    fn read(&self, arguments: &Arguments<'_>) -> Result<String, String> {
        let text = self.text_of(arguments.text("path")?)?;
        let from = arguments
            .0
            .get("from")
            .and_then(Value::as_u64)
            .map_or(1, |from| from.max(1));
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let numbered = text.lines().enumerate().skip(from - 1).take(LINES);
        let shown: Vec<String> = numbered.map(|(at, line)| format!("{}\t{line}", at + 1)).collect();
        let n_lines = text.lines().count();
        if shown.is_empty() {
            return Err(format!("the file has {n_lines} lines"));
        }
        Ok(shown.join("\n"))
    }

    fn search(&self, pattern: &str) -> Result<String, String> {
        let expression = RegexBuilder::new(pattern)
            .case_insensitive(true)
            .size_limit(REGEX)
            .build()
            .map_err(|error| format!("that is no regular expression: {}", shortened(&error.to_string(), 200)))?;
        let lines = self
            .now
            .files()
            .flat_map(|(path, text)| text.lines().enumerate().map(move |line| (path, line)));
        let hits = lines.filter(|(_, (_, line))| expression.is_match(line));
        let shown: Vec<String> = hits
            .take(HITS)
            .map(|(path, (at, line))| format!("{path}:{}: {}", at + 1, shortened(line, 200)))
            .collect();
        Ok(match shown.len() {
            0 => "nothing matches".to_owned(),
            HITS => format!("{}\nthere may be more: say it more exactly", shown.join("\n")),
            _ => shown.join("\n"),
        })
    }

    fn edit(&mut self, arguments: &Arguments<'_>) -> Result<String, String> {
        let (path, old, new) = (arguments.text("path")?, arguments.text("old")?, arguments.text("new")?);
        let text = self.text_of(path)?;
        if old.is_empty() {
            return Err("`old` is empty; say which text to replace".to_owned());
        }
        let at = match text.matches(old).count() {
            1 => text.find(old).unwrap_or_default(),
            0 => return Err("`old` does not stand in the file, to the letter; `read` it again".to_owned()),
            n => return Err(format!("`old` stands there {n} times; take more of the text around it")),
        };
        let line = text[..at].matches('\n').count() + 1;
        let text = format!("{}{new}{}", &text[..at], &text[at + old.len()..]);
        self.put(path, Some(text))?;
        Ok(format!("replaced at line {line}"))
    }

    fn create(&mut self, arguments: &Arguments<'_>) -> Result<String, String> {
        let (path, text) = (arguments.text("path")?, arguments.text("text")?);
        if self.now.get(path).is_some() {
            return Err("the file is there already; use `edit`".to_owned());
        }
        self.put(path, Some(text.to_owned()))?;
        Ok("written".to_owned())
    }

    fn delete(&mut self, path: &str) -> Result<String, String> {
        self.text_of(path)?;
        self.put(path, None)?;
        Ok("deleted".to_owned())
    }

    fn put(&mut self, path: &str, text: Option<String>) -> Result<(), String> {
        if !self.policy.allows(path) {
            return Err(format!(
                "`{}` is no part of the harness and may not be changed",
                shortened(path, 200)
            ));
        }
        if text.as_ref().is_some_and(|text| text.len() > FILE) {
            return Err(format!("a file may have {} KiB at most", FILE / 1024));
        }
        let path = path.to_owned();
        self.now = self.now.with(&[FileChange { path, text }]);
        Ok(())
    }

    fn run(&self, task: &str) -> Result<Answer, String> {
        let task = TaskId::new(task);
        if self.tasks.contains(&task) {
            return Ok(Answer::Run(task));
        }
        let some: Vec<&str> = self.tasks.iter().take(20).map(|task| task.as_str()).collect();
        Err(format!("no such task may be run; there are {}", some.join(", ")))
    }

    fn finish(&self, arguments: &Arguments<'_>) -> Result<Answer, String> {
        if self.base == &self.now {
            return Err(
                "nothing is changed yet; change something, or say in plain words why nothing can be".to_owned(),
            );
        }
        let finish = Finish::read(arguments.0, &self.tasks)?;
        Ok(Answer::Finished(finish))
    }

    /// The change as a candidate; `None` when nothing is changed. `origin` says who made it.
    pub fn candidate(&self, cluster: &Cluster, finish: &Finish, origin: String) -> Option<Candidate> {
        candidate(cluster, (self.base, &self.now), finish, origin)
    }
}

impl Finish {
    /// What a model, or the file of a coding agent, says: `{"title","hypothesis","predicted_fixes","risk"}`. Tasks that are not among
    /// `tasks` are left out.
    ///
    /// # Errors
    /// What is missing.
    pub fn read(said: &Map<String, Value>, tasks: &BTreeSet<&TaskId>) -> Result<Self, String> {
        let arguments = Arguments(said);
        let predicted = said
            .get("predicted_fixes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let predicted: BTreeSet<TaskId> = predicted
            .filter_map(Value::as_str)
            .map(TaskId::new)
            .filter(|task| tasks.contains(task))
            .collect();
        let title = shortened(arguments.text("title")?, 100);
        if title.is_empty() {
            return Err("`title` is empty".to_owned());
        }
        Ok(Self {
            title,
            hypothesis: shortened(arguments.text("hypothesis")?, 600),
            predicted: predicted.into_iter().collect(),
            risk: said
                .get("risk")
                .and_then(Value::as_str)
                .map_or_else(String::new, |risk| shortened(risk, 300)),
        })
    }
}

/// The change from one harness to another as a candidate; `None` when they are the same.
pub fn candidate(
    cluster: &Cluster,
    (before, after): (&Harness, &Harness),
    finish: &Finish,
    origin: String,
) -> Option<Candidate> {
    let changes = before.changes_to(after);
    if changes.is_empty() {
        return None;
    }
    let diff = before.diff(after);
    // Line numbers and context are of the harness, and not of the edit.
    let edit: Vec<&str> = diff
        .lines()
        .filter(|line| line.starts_with('+') || line.starts_with('-'))
        .collect();
    let hypothesis = match finish.risk.as_str() {
        "" => finish.hypothesis.clone(),
        risk => format!("{} Risk: {risk}", finish.hypothesis),
    };
    Some(Candidate {
        removes: None,
        id: CandidateId::new(&hash::of(&edit)[..12]),
        cluster: cluster.id.clone(),
        parent: before.id(),
        title: finish.title.clone(),
        hypothesis,
        changes,
        diff,
        predicted: finish.predicted.clone(),
        origin,
    })
}

/// The arguments of a call.
struct Arguments<'a>(&'a Map<String, Value>);

impl Arguments<'_> {
    fn text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("`{name}` must be a text")),
            None => Err(format!("`{name}` is missing")),
        }
    }
}

#[cfg(test)]
mod tests;
