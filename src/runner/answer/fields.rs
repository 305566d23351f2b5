//! What is wrong with the fields of a worker's message, in plain words.

use serde_json::{Map, Value};
use sprag_core::trace::Termination;

/// What is wrong with a `ready`, in the order of the protocol's table.
pub(crate) fn ready_problems(message: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match message.get("protocol") {
        None => found.push("`protocol` is missing; this sprag speaks 1".to_owned()),
        Some(version) if version.as_u64() == Some(1) => {}
        Some(version) => {
            found.push(format!(
                "`protocol` must be 1, the version this sprag speaks, and it is {version}"
            ));
        }
    }
    let message = Fields::of(message);
    message.require("name", &TEXT, &mut found);
    message.allow("parallel", &COUNT, &mut found);
    message.allow("harness", &RELOAD, &mut found);
    message.allow("cases", &TRUTH, &mut found);
    found
}

/// What is wrong with a `tasks`.
pub(crate) fn tasks_problems(message: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let fields = Fields::of(message);
    fields.require("split", &TEXT, &mut found);
    fields.require("ids", &LIST, &mut found);
    fields.allow("inputs", &OBJECT, &mut found);
    if let Some(id) = message["ids"]
        .as_array()
        .and_then(|ids| ids.iter().find(|id| !id.is_string()))
    {
        found.push(format!("`ids` must be a list of texts, and {} is in it", shown(id)));
    }
    found
}

/// What is wrong with a `result` of a task, its trace included.
pub(crate) fn result_problems(message: &Value) -> Vec<String> {
    problems_of(message, true)
}

/// What is wrong with a `result` of a case, whose verdict may be left out.
pub(crate) fn case_result_problems(message: &Value) -> Vec<String> {
    problems_of(message, false)
}

fn problems_of(message: &Value, needs_verdict: bool) -> Vec<String> {
    let mut found = Vec::new();
    let fields = Fields::of(message);
    fields.require("id", &TEXT, &mut found);
    if fields.get("error").is_some() {
        fields.require("error", &OBJECT, &mut found);
        let error = fields.below("error");
        error.allow("kind", &ERROR_KIND, &mut found);
        error.require("message", &TEXT, &mut found);
    } else {
        if needs_verdict {
            fields.require("passed", &TRUTH, &mut found);
        } else {
            fields.allow("passed", &TRUTH, &mut found);
        }
        fields.allow("score", &SCORE, &mut found);
    }
    if fields.get("trace").is_some() {
        trace_problems(&fields.below("trace"), &mut found);
    }
    fields.allow("usage", &OBJECT, &mut found);
    let usage = fields.below("usage");
    usage.allow("input_tokens", &COUNT, &mut found);
    usage.allow("output_tokens", &COUNT, &mut found);
    usage.allow("usd", &AMOUNT, &mut found);
    fields.allow("duration_ms", &COUNT, &mut found);
    found
}

fn trace_problems(trace: &Fields<'_>, found: &mut Vec<String>) {
    trace.require("steps", &LIST, found);
    let steps = trace.items("steps");
    if steps.is_empty() && trace.get("steps").is_some_and(Value::is_array) {
        found.push("`trace.steps` is empty; sprag finds causes in the steps".to_owned());
    }
    let mut open = Vec::new();
    for step in &steps {
        step_problems(step, &mut open, found);
    }
    trace.allow("termination", &TERMINATION, found);
}

/// `open` holds the ids of the calls that wait for an answer.
fn step_problems<'a>(step: &Fields<'a>, open: &mut Vec<Option<&'a str>>, found: &mut Vec<String>) {
    step.require("role", &ROLE, found);
    step.allow("content", &TEXT, found);
    step.allow("tool_calls", &LIST, found);
    for call in step.items("tool_calls") {
        call.require("name", &TEXT, found);
        call.require("arguments", &OBJECT, found);
        open.push(call.text("id"));
    }
    if step.text("role") == Some("tool") {
        answer_problems(step, open, found);
    }
}

/// The pairing is that of `Trace::exchanges`.
fn answer_problems(step: &Fields<'_>, open: &mut Vec<Option<&str>>, found: &mut Vec<String>) {
    let wanted = step.text("call_id");
    let by_id = open.iter().position(|id| id.is_some() && *id == wanted);
    let in_order = !open.is_empty() && (wanted.is_none() || open.iter().all(Option::is_none));
    match (by_id.or_else(|| in_order.then_some(0)), wanted) {
        (Some(position), _) => {
            open.remove(position);
        }
        (None, Some(id)) => {
            let at = &step.at;
            found.push(format!(
                "`{at}call_id` is \"{id}\", and no call before it with that id waits for an answer"
            ));
        }
        (None, None) => {
            found.push(format!(
                "`{}role` is tool, and no call before it waits for an answer",
                step.at
            ));
        }
    }
}

/// An object of the message with the path that leads to it, such as `trace.steps[3].`.
struct Fields<'a> {
    object: &'a Value,
    at: String,
}

impl<'a> Fields<'a> {
    fn of(message: &'a Value) -> Self {
        Self {
            object: message,
            at: String::new(),
        }
    }

    /// The value of a field; `null` counts as left out.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn below(&self, name: &str) -> Self {
        Self {
            object: self.object.get(name).unwrap_or(&Value::Null),
            at: format!("{}{name}.", self.at),
        }
    }

    fn items(&self, name: &str) -> Vec<Self> {
        let items = self
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let with_path = |(index, object)| Self {
            object,
            at: format!("{}{name}[{index}].", self.at),
        };
        items.iter().enumerate().map(with_path).collect()
    }

    fn require(&self, name: &str, kind: &Kind, found: &mut Vec<String>) {
        if self.get(name).is_none() && (self.at.is_empty() || self.object.is_object()) {
            found.push(format!("`{}{name}` is missing; it must be {}", self.at, kind.words));
        }
        self.allow(name, kind, found);
    }

    fn allow(&self, name: &str, kind: &Kind, found: &mut Vec<String>) {
        if let Some(value) = self.get(name).filter(|value| !(kind.holds)(value)) {
            found.push(format!(
                "`{}{name}` must be {}, and it is {}",
                self.at,
                kind.words,
                shown(value)
            ));
        }
    }
}

/// What a field must be.
struct Kind {
    words: &'static str,
    holds: fn(&Value) -> bool,
}

const TEXT: Kind = Kind {
    words: "a text",
    holds: Value::is_string,
};
const LIST: Kind = Kind {
    words: "a list",
    holds: Value::is_array,
};
const OBJECT: Kind = Kind {
    words: "an object",
    holds: Value::is_object,
};
const TRUTH: Kind = Kind {
    words: "true or false",
    holds: Value::is_boolean,
};
const COUNT: Kind = Kind {
    words: "a whole number",
    holds: Value::is_u64,
};
const AMOUNT: Kind = Kind {
    words: "a number of 0 or more",
    holds: |value| value.as_f64().is_some_and(|x| x >= 0.0),
};
const SCORE: Kind = Kind {
    words: "a number from 0 to 1",
    holds: |value| value.as_f64().is_some_and(|x| (0.0..=1.0).contains(&x)),
};
const RELOAD: Kind = Kind {
    words: "\"start\" or \"run\"",
    holds: |value| is_one_of(value, &["start", "run"]),
};
const ROLE: Kind = Kind {
    words: "system, user, assistant or tool",
    holds: |value| is_one_of(value, &["system", "user", "assistant", "tool"]),
};
const ERROR_KIND: Kind = Kind {
    words: "infrastructure, evaluator, user_simulator or unknown",
    holds: |value| is_one_of(value, &["infrastructure", "evaluator", "user_simulator", "unknown"]),
};
/// Every word that sprag knows: an unknown one is read as "nobody said how it ended".
const TERMINATION: Kind = Kind {
    words: "one of the words in docs/worker-protocol.md, such as agent_stop or max_steps",
    holds: |value| {
        value == "unknown"
            || serde_json::from_value(value.clone()).is_ok_and(|known: Termination| known != Termination::Unknown)
    },
};

fn is_one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|word| words.contains(&word))
}

/// A value for a person: short ones as they are, long ones by their type.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 {
        return text;
    }
    match value {
        Value::Array(items) => format!("a list of {} items", items.len()),
        Value::Object(map) => format!("an object with {} fields", Map::len(map)),
        Value::String(_) => format!("{}…\"", text.chars().take(57).collect::<String>()),
        Value::Null | Value::Bool(_) | Value::Number(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_wrong_field_of_ready_is_named() {
        let ready = json!({"protocol": 2, "parallel": "two", "harness": "always"});
        insta::assert_snapshot!(ready_problems(&ready).join("\n"), @r#"
        `protocol` must be 1, the version this sprag speaks, and it is 2
        `name` is missing; it must be a text
        `parallel` must be a whole number, and it is "two"
        `harness` must be "start" or "run", and it is "always"
        "#);
        assert_eq!(ready_problems(&json!({"protocol": 1, "name": "x", "more": 1})), [""; 0]);
    }

    #[test]
    fn every_wrong_field_of_a_result_is_named() {
        let result = json!({"passed": 1, "score": 2, "usage": {"usd": "much"}, "duration_ms": 1.5, "trace": {"steps": [
            {"role": "bot", "content": 3},
            {"role": "assistant", "tool_calls": [{"id": "c1", "name": "look", "arguments": "{}"}]},
            {"role": "tool", "call_id": "c2", "content": ""},
            {"role": "tool", "call_id": "c1", "content": ""},
            {"role": "tool", "content": ""},
        ], "termination": "bored"}});
        insta::assert_snapshot!(result_problems(&result).join("\n"), @r#"
        `id` is missing; it must be a text
        `passed` must be true or false, and it is 1
        `score` must be a number from 0 to 1, and it is 2
        `trace.steps[0].role` must be system, user, assistant or tool, and it is "bot"
        `trace.steps[0].content` must be a text, and it is 3
        `trace.steps[1].tool_calls[0].arguments` must be an object, and it is "{}"
        `trace.steps[2].call_id` is "c2", and no call before it with that id waits for an answer
        `trace.steps[4].role` is tool, and no call before it waits for an answer
        `trace.termination` must be one of the words in docs/worker-protocol.md, such as agent_stop or max_steps, and it is "bored"
        `usage.usd` must be a number of 0 or more, and it is "much"
        `duration_ms` must be a whole number, and it is 1.5
        "#);
    }

    #[test]
    fn errors_need_no_verdict_but_a_message_and_a_known_kind() {
        let result = |error: Value| result_problems(&json!({"id": "1", "error": error}));
        assert_eq!(result(json!({"kind": "evaluator", "message": "unknown task"})), [""; 0]);
        insta::assert_snapshot!(result(json!({"kind": "agent"})).join("\n"), @r#"
        `error.kind` must be infrastructure, evaluator, user_simulator or unknown, and it is "agent"
        `error.message` is missing; it must be a text
        "#);
        insta::assert_snapshot!(result(json!("boom")).join("\n"), @r#"`error` must be an object, and it is "boom""#);
    }

    #[test]
    fn a_list_must_hold_texts() {
        insta::assert_snapshot!(tasks_problems(&json!({"split": "train", "ids": ["a", 7]})).join("\n"), @"`ids` must be a list of texts, and 7 is in it");
    }
}
