//! The verdict on a run: the database as it is left, against the database as the expected actions leave it, and what was told.
//! How the agent got there does not count.

use super::shop::Shop;
use super::tools;
use serde_json::Value;
use sprag_core::trace::{Check, Expected, Role, Step};

/// What the evaluator looked at; the run passed when all checks did. `before` and `after` are the shop around the run.
///
/// One check for each value that should have changed, one for all that should not, one for each text.
pub(super) fn checks(expected: &Expected, before: &Shop, after: &Shop, steps: &[Step]) -> Vec<Check> {
    let wanted = expected_shop(expected, before.clone());
    let [before, wanted, after] = [before, &wanted, after].map(|shop| serde_json::to_value(shop).unwrap_or_default());
    let mut comparison = Comparison::default();
    comparison.walk("", &before, &wanted, &after);
    let Comparison { mut checks, extra } = comparison;
    checks.push(Check {
        passed: extra.is_empty(),
        detail: extra.join(", "),
        ..state("nothing else changed")
    });
    checks.extend(expected.communicate.iter().map(|text| told(text, steps)));
    checks
}

fn state(name: &str) -> Check {
    Check {
        name: name.to_owned(),
        kind: "state".to_owned(),
        ..Check::default()
    }
}

/// What differs between the shop before a run, as it should be, and as it is; by paths such as `payments.P-7.refunded`.
#[derive(Default)]
struct Comparison {
    /// One for each value that should have changed.
    checks: Vec<Check>,
    /// What should not have changed and did.
    extra: Vec<String>,
}

impl Comparison {
    /// Tools add and remove no rows, so all three have the same keys.
    fn walk(&mut self, path: &str, before: &Value, wanted: &Value, after: &Value) {
        if before == wanted && wanted == after {
            return;
        }
        if let Value::Object(fields) = before {
            for (key, inner) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                self.walk(&path, inner, &wanted[key], &after[key]);
            }
        } else if before != wanted {
            let detail = format!("should be {wanted}, is {after}");
            self.checks.push(Check {
                passed: wanted == after,
                detail,
                ..state(path)
            });
        } else {
            self.extra.push(format!("{path} became {after}"));
        }
    }
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
    let mut said = steps
        .iter()
        .filter(|step| step.role == Role::Assistant)
        .map(|step| step.content.to_lowercase());
    Check {
        name: text.to_owned(),
        kind: "communicate".to_owned(),
        passed: said.any(|said| said.contains(&wanted)),
        detail: String::new(),
    }
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
        let steps = [Step {
            role: Role::Assistant,
            content: said.to_owned(),
            ..Step::default()
        }];
        let failed = checks(expected, &before, &after, &steps)
            .into_iter()
            .filter(|check| !check.passed);
        failed
            .map(|check| {
                format!("{}: {}", check.name, check.detail)
                    .trim_end_matches(": ")
                    .to_owned()
            })
            .collect()
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
        assert!(
            verdict(&credit(), &[call(2.0), call(3.0)], "sorry").is_empty(),
            "two credits of 2 and 3 are one of 5"
        );
        assert_eq!(
            verdict(&credit(), &[call(7.0)], "sorry"),
            ["customers.C-1001.credit: should be 5.0, is 7.0"]
        );
        assert_eq!(
            verdict(&credit(), &[], ""),
            ["customers.C-1001.credit: should be 5.0, is 0.0", "sorry"]
        );
    }

    #[test]
    fn a_change_that_nobody_expected_fails() {
        let calls = [
            ("add_credit", json!({"customer_id": "C-1001", "amount": 5})),
            ("unlock_account", json!({"customer_id": "C-1002"})),
        ];
        assert_eq!(
            verdict(&credit(), &calls, "sorry"),
            [r#"nothing else changed: customers.C-1002.login became "ok""#]
        );
    }

    #[test]
    fn every_expected_action_of_every_task_is_accepted_by_its_tool() {
        for task in tasks::all() {
            let mut shop = shop::bundled();
            shop.merge(task.rows.clone());
            for action in &task.expected.actions {
                let before = shop.clone();
                tools::call(&mut shop, &action.name, &action.arguments)
                    .unwrap_or_else(|why| panic!("{}: {why}", task.id));
                assert_ne!(before, shop, "{} of {} changes nothing", action.name, task.id);
            }
        }
    }
}
