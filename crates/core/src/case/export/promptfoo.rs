//! Eval cases as a configuration of promptfoo: its own assertions where it has one, `provider.py` where it has none.

use super::{EvalCase, File, pretty};
use crate::case::Expectation;
use crate::case::expect::Place;
use serde_json::{Value, json};

/// Runs the agent, and holds runs against what promptfoo has no assertion for.
const PROVIDER: &str = "file://provider.py";

pub(super) fn files(cases: &[&EvalCase]) -> Vec<File> {
    let config = json!({
        "description": "Eval cases of sprag. How the agent is reached is said in sprag_case.py.",
        "prompts": ["{{input}}"],
        "providers": [{"id": PROVIDER, "label": "agent"}],
        "tests": cases.iter().map(|case| test(case)).collect::<Vec<_>>(),
    });
    vec![
        File {
            name: "promptfooconfig.json",
            text: pretty(&config),
        },
        File {
            name: "provider.py",
            text: include_str!("templates/provider.py").to_owned(),
        },
    ]
}

fn test(case: &EvalCase) -> Value {
    let input = case.input.as_ref().map(|input| input.messages.join("\n"));
    let asserts = match case.is_recorded() {
        true => case.expect.iter().enumerate().map(assertion).collect(),
        // The verdict on a task is the runner's.
        false => vec![json!({"type": "python", "value": PROVIDER})],
    };
    json!({
        "description": literal(&case.title),
        "vars": {"case": case.id, "input": literal(&input.unwrap_or_else(|| case.title.clone()))},
        "assert": asserts,
    })
}

/// What only `provider.py` can check is named by its place in `expect`, so that no text of it is taken for a template.
fn assertion((at, expectation): (usize, &Expectation)) -> Value {
    match expectation {
        Expectation::Contains {
            text,
            place: Place::Answer,
        } if literal(text) == *text => json!({"type": "icontains", "value": text}),
        Expectation::NotContains {
            text,
            place: Place::Answer,
        } if literal(text) == *text => json!({"type": "not-icontains", "value": text}),
        Expectation::Judge { rubric } => json!({"type": "llm-rubric", "value": literal(rubric)}),
        _ => json!({"type": "python", "value": PROVIDER, "config": {"expectation": at}}),
    }
}

/// A text in which promptfoo finds no template, for people and models to read: what comes from a trace is data. No brace is left beside
/// what could begin a template with it.
fn literal(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if plain.ends_with('{') && matches!(c, '{' | '%' | '#') {
            plain.push(' ');
        }
        plain.push(c);
    }
    plain
}
