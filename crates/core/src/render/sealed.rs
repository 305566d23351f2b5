//! What the sealed test split said of a release.

use super::markdown::visible;
use super::words;
use crate::gate::stats::{clopper_pearson, paired_difference, sign_test};
use crate::score::Sealed;
use std::fmt::Write as _;

/// What was measured, in words that need no statistics. `opened` are the times at which the split was opened, this one among them.
pub fn sealed(release: &str, at: &str, sealed: &Sealed, opened: usize) -> String {
    let card = &sealed.card;
    let measured = card.passed + card.failed;
    let points = |part: f64| format!("{:.1}", 100.0 * part);
    let mut text = format!("sealed test of {}\n", visible(release));
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<12}{value}");
    };
    fact("opened", format!("{}; {opened} in all, once a release", visible(at)));
    fact("commit", visible(&sealed.commit));
    match (card.score(), clopper_pearson(card.passed, card.failed, 0.95)) {
        (Some(score), Some((low, high))) => fact(
            "score",
            format!(
                "{} of {measured} tasks pass, {} %; over all such tasks it lies between {} and {}, nineteen times in twenty",
                card.passed,
                points(score),
                points(low),
                points(high)
            ),
        ),
        _ => fact("score", "nothing was measured".to_owned()),
    }
    if card.errored > 0 {
        fact(
            "no verdict",
            format!(
                "{}, also after retries: counted for neither side",
                words::count(card.errored, "task")
            ),
        );
    }
    if let (Some(against), Some(before)) = (&sealed.against, sealed.before) {
        let (fixed, broken) = (card.fixed, card.broken);
        let (low, high) = paired_difference(fixed, broken, card.total(), 0.95);
        fact(
            "against",
            format!("{}, which scores {} %", visible(against), points(before)),
        );
        fact(
            "difference",
            format!(
                "{fixed} fixed, {broken} broken; between {} and {} points, nineteen times in twenty",
                points(low),
                points(high)
            ),
        );
        let chance = 100.0 * sign_test(fixed, broken);
        fact(
            "by chance",
            format!("a change that helps and harms alike would split as unevenly in {chance:.0} of 100 such tests"),
        );
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Scorecard;

    #[test]
    fn a_release_is_told_with_what_is_sure_and_what_is_not() {
        let card = Scorecard {
            passed: 31,
            failed: 8,
            errored: 1,
            fixed: 9,
            broken: 1,
            ..Scorecard::default()
        };
        let mut one = Sealed {
            commit: "3f2a91c".to_owned(),
            against: Some("v1.0".to_owned()),
            before: Some(0.59),
            card,
        };
        insta::assert_snapshot!(sealed("v1.1", "2026-11-28T10:00:00Z", &one, 2));
        one.against = None;
        one.card = Scorecard {
            errored: 4,
            ..Scorecard::default()
        };
        let text = sealed("v1.1", "now", &one, 1);
        assert!(
            text.contains("nothing was measured") && !text.contains("by chance"),
            "{text}"
        );
    }
}
