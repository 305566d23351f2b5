//! The verdict on a run: the database as it is left, against the database as the expected actions leave it, and what was told.
//! How the agent got there does not count.

use super::shop::Shop;
use super::tools;
use serde_json::Value;
use sprag_core::trace::{Check, Expected, Role, Step};
use std::collections::BTreeMap;

/// What the evaluator looked at; the run passed when all checks did. `before` and `after` are the shop around the run.
///
/// One check for each value that should have changed, one for all that should not, one for each text.
pub(super) fn checks(expected: &Expected, before: Shop, after: &Shop, steps: &[Step]) -> Vec<Check> {
    let start = values(&before);
    let wanted = values(&expected_shop(expected, before));
    let is = values(after);
    let mut checks: Vec<Check> = differences(&start, &wanted)
        .into_iter()
        .map(|path| {
            let (wanted, is) = (at(&wanted, path), at(&is, path));
            Check { name: path.to_owned(), kind: "state".to_owned(), passed: wanted == is, detail: format!("should be {wanted}, is {is}") }
        })
        .collect();
    let untouched = differences(&is, &wanted).into_iter().filter(|&path| at(&start, path) == at(&wanted, path));
    let extra: Vec<String> = untouched.map(|path| format!("{path} became {}", at(&is, path))).collect();
    checks.push(Check { name: "nothing else changed".to_owned(), kind: "state".to_owned(), passed: extra.is_empty(), detail: extra.join(", ") });
    checks.extend(expected.communicate.iter().map(|text| told(text, steps)));
    checks
}

/// The shop after the expected actions.
fn expected_shop(expected: &Expected, mut shop: Shop) -> Shop {
    for action in &expected.actions {
        // A refused action changes nothing; a test sees to it that the tasks expect none.
        let _answer = tools::call(&mut shop, &action.name, &action.arguments);
    }
    shop
}

fn told(text: &str, steps: &[Step]) -> Check {
    let wanted = text.to_lowercase();
    let mut said = steps.iter().filter(|step| step.role == Role::Assistant).map(|step| step.content.to_lowercase());
    Check { name: text.to_owned(), kind: "communicate".to_owned(), passed: said.any(|said| said.contains(&wanted)), detail: String::new() }
}

/// Every value of the database by its path, such as `payments.P-7.refunded`.
fn values(shop: &Shop) -> BTreeMap<String, Value> {
    fn walk(value: Value, path: String, out: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(fields) => {
                let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                fields.into_iter().for_each(|(key, inner)| walk(inner, join(&key), out));
            }
            leaf => drop(out.insert(path, leaf)),
        }
    }
    let mut out = BTreeMap::new();
    walk(serde_json::to_value(shop).unwrap_or_default(), String::new(), &mut out);
    out
}

/// The paths whose values differ; tools add and remove no rows, so both sides have the same paths.
fn differences<'a>(left: &'a BTreeMap<String, Value>, right: &BTreeMap<String, Value>) -> Vec<&'a str> {
    left.iter().filter(|(path, value)| right.get(*path) != Some(value)).map(|(path, _)| path.as_str()).collect()
}

fn at<'a>(values: &'a BTreeMap<String, Value>, path: &str) -> &'a Value {
    values.get(path).unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpdesk::{shop, tasks};
    use serde_json::json;

    fn verdict(expected: &Expected, calls: &[(&str, Value)], said: &str) -> Vec<String> {
        let before = shop::bundled();
        let mut after = before.clone();
        for (tool, arguments) in calls {
            tools::call(&mut after, tool, arguments.as_object().unwrap()).unwrap();
        }
        let steps = [Step { role: Role::Assistant, content: said.to_owned(), ..Step::default() }];
        let failed = checks(expected, before, &after, &steps).into_iter().filter(|check| !check.passed);
        failed.map(|check| format!("{}: {}", check.name, check.detail).trim_end_matches(": ").to_owned()).collect()
    }

    fn credit() -> Expected {
        let expected = json!({
            "actions": [{"name": "add_credit", "arguments": {"customer_id": "C-1001", "amount": 5}}],
            "communicate": ["sorry"],
        });
        serde_json::from_value(expected).unwrap()
    }

    #[test]
    fn the_state_counts_and_not_the_way_there() {
        let call = |amount: f64| ("add_credit", json!({"customer_id": "C-1001", "amount": amount}));
        assert!(verdict(&credit(), &[call(5.0)], "We are SORRY.").is_empty());
        assert!(verdict(&credit(), &[call(2.0), call(3.0)], "sorry").is_empty(), "two credits of 2 and 3 are one of 5");
        assert_eq!(verdict(&credit(), &[call(7.0)], "sorry"), ["customers.C-1001.credit: should be 5.0, is 7.0"]);
        assert_eq!(verdict(&credit(), &[], ""), ["customers.C-1001.credit: should be 5.0, is 0.0", "sorry"]);
    }

    #[test]
    fn a_change_that_nobody_expected_fails() {
        let calls = [("add_credit", json!({"customer_id": "C-1001", "amount": 5})), ("unlock_account", json!({"customer_id": "C-1002"}))];
        assert_eq!(verdict(&credit(), &calls, "sorry"), [r#"nothing else changed: customers.C-1002.login became "ok""#]);
    }

    #[test]
    fn every_expected_action_of_every_task_is_accepted_by_its_tool() {
        for task in tasks::all() {
            let mut shop = shop::bundled();
            shop.merge(task.rows.clone());
            for action in &task.expected.actions {
                let before = shop.clone();
                tools::call(&mut shop, &action.name, &action.arguments).unwrap_or_else(|why| panic!("{}: {why}", task.id));
                assert_ne!(before, shop, "{} of {} changes nothing", action.name, task.id);
            }
        }
    }
}
