//! Eval cases as tests of other tools: what is written, as files. Whoever has them needs no sprag, only the agent's worker.

mod inspect;
mod promptfoo;
mod pytest;

use super::EvalCase;
use serde_json::{Value, json};

/// A tool that runs tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// promptfoo: `promptfooconfig.json`.
    Promptfoo,
    /// Inspect: `cases_task.py`.
    Inspect,
    /// pytest: `test_cases.py`.
    Pytest,
}

/// One file, with its name in the folder that is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// The files of a tool. `worker` is the command of the agent's worker, empty where there is none.
pub fn files(tool: Tool, cases: &[&EvalCase], worker: &[String]) -> Vec<File> {
    let mut files = match tool {
        Tool::Promptfoo => promptfoo::files(cases),
        Tool::Inspect => inspect::files(),
        Tool::Pytest => pytest::files(),
    };
    let cases: Vec<Value> = cases.iter().map(|case| plain(case)).collect();
    files.push(File {
        name: "cases.json",
        text: pretty(&json!({"worker": worker, "cases": cases})),
    });
    files.push(File {
        name: "sprag_case.py",
        text: include_str!("export/templates/sprag_case.py").to_owned(),
    });
    files
}

/// A case as `sprag_case.py` reads it.
fn plain(case: &EvalCase) -> Value {
    json!({
        "id": case.id,
        "title": case.title,
        "task": case.task,
        "recorded": case.is_recorded(),
        "input": case.input.clone().unwrap_or_default(),
        "expect": case.expect,
        "fixtures": case.fixtures,
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests;
