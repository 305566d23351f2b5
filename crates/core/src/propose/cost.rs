//! What a coding agent says its work has cost, as far as it says so.

use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// US dollars, out of what an agent printed; `None` when it names no sum. The forms:
///
/// - Claude Code, `--output-format json` or `stream-json`: `total_cost_usd` of the last result;
/// - `OpenCode`, `run --format json`: `part.cost` of every `step_finish`, added up;
/// - aider: the session's sum in the last `Cost: $0.01 message, $0.05 session.`
///
/// Codex and Gemini print tokens and no money.
pub fn reported(stdout: &str) -> Option<f64> {
    let values: Vec<Value> = match serde_json::from_str(stdout) {
        Ok(Value::Array(all)) => all,
        Ok(value) => vec![value],
        Err(_) => stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect(),
    };
    let total = values
        .iter()
        .rev()
        .find_map(|value| value.get("total_cost_usd")?.as_f64());
    let steps = || {
        let finished = values.iter().filter(|value| value["type"] == "step_finish");
        let costs: Vec<f64> = finished.filter_map(|value| value["part"]["cost"].as_f64()).collect();
        (!costs.is_empty()).then(|| costs.iter().sum())
    };
    total
        .or_else(steps)
        .or_else(|| of_aider(stdout))
        .filter(|usd| usd.is_finite() && *usd >= 0.0)
}

fn of_aider(stdout: &str) -> Option<f64> {
    static COST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"Cost: \$[\d.,]+ message, \$([\d.,]+) session").expect("it is a regex"));
    let last = COST.captures_iter(stdout).last()?;
    last[1].trim_end_matches('.').replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_agent_s_own_form_is_read() {
        let claude = r#"{"type":"result","subtype":"success","is_error":false,"result":"done","total_cost_usd":0.125}"#;
        assert_eq!(reported(claude), Some(0.125));
        let streamed = format!("{{\"type\":\"system\"}}\n{claude}\n");
        assert_eq!(reported(&streamed), Some(0.125));
        assert_eq!(reported(&format!("[{{\"type\":\"system\"}},{claude}]")), Some(0.125));
        let opencode = "{\"type\":\"step_finish\",\"part\":{\"cost\":0.5}}\n{\"type\":\"text\"}\n{\"type\":\"step_finish\",\"part\":{\"cost\":0.25}}";
        assert_eq!(reported(opencode), Some(0.75));
        let aider = "Cost: $0.01 message, $0.01 session.\nCost: $0.02 message, $1,000.03 session.";
        assert_eq!(reported(aider), Some(1000.03));
    }

    #[test]
    fn tokens_are_no_money_and_nothing_is_made_up() {
        let codex = r#"{"type":"turn.completed","usage":{"input_tokens":100,"output_tokens":5}}"#;
        for said in [
            codex,
            "",
            "done",
            r#"{"total_cost_usd":null}"#,
            r#"{"total_cost_usd":-1}"#,
        ] {
            assert_eq!(reported(said), None, "{said}");
        }
    }
}
