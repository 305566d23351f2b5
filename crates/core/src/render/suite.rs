//! The cases of the regression suite: how reliable each is, and which are not counted.

use super::markdown::{escape, inline_code, truncate, visible};
use super::words;
use crate::case::{Aside, CaseState, EvalCase, FlakeStatistics, SuiteChange};
use crate::score::Scorecard;

/// Cases that a table shows.
const ROWS: usize = 40;

/// How often a case passed since it was fixed, and where its pass rate lies: `7 of 8 (53 to 98 %)`.
pub fn rate(flake: FlakeStatistics) -> String {
    let Some(rate) = flake.rate() else {
        return "not run since".to_owned();
    };
    format!(
        "{} of {} ({:.0} to {:.0} %)",
        rate.passed,
        rate.runs,
        100.0 * rate.low,
        100.0 * rate.high
    )
}

/// What became of cases, in one line for a terminal.
pub fn changes(changes: &[SuiteChange]) -> String {
    let told: Vec<String> = changes.iter().map(change).collect();
    format!("  regression suite: {}", told.join("; "))
}

fn change(change: &SuiteChange) -> String {
    let becomes = match change.becomes {
        CaseState::Promoted => "back in the suite".to_owned(),
        other => words::case_state(other).to_owned(),
    };
    format!(
        "{} {becomes}, {}",
        visible(change.case.as_str()),
        visible(&change.reason)
    )
}

/// Why a case is not counted, in a word or two; `None` for one that is.
pub fn badge(case: &EvalCase) -> Option<&'static str> {
    match (case.state, case.aside) {
        (CaseState::Open, Some(Aside::Broke)) => Some("broken again"),
        (CaseState::Quarantined, _) => Some("quarantined"),
        (CaseState::Retired, _) => Some("retired"),
        _ => None,
    }
}

/// The cases of the suite that are not counted, as a section of the dashboard; empty without any.
pub fn aside(suite: &[EvalCase]) -> String {
    let aside: Vec<(&EvalCase, &str)> = suite.iter().filter_map(|case| Some((case, badge(case)?))).collect();
    if aside.is_empty() {
        return String::new();
    }
    let rows: String = aside
        .iter()
        .take(ROWS)
        .map(|(case, badge)| {
            let why = case
                .note
                .as_deref()
                .map_or_else(String::new, |note| format!(": {}", escape(&truncate(note, 200))));
            let title = escape(&truncate(&case.title, 100));
            format!("- {} {title} ({badge}){why}\n", inline_code(case.id.as_str()))
        })
        .collect();
    let more = aside.len().saturating_sub(ROWS);
    let more = if more > 0 {
        format!("- and {more} more\n")
    } else {
        String::new()
    };
    format!("## Cases that are not counted\n\n`/sprag restore <case>` counts one again.\n\n{rows}{more}")
        .trim_end()
        .to_owned()
}

/// The suite of a check run as a table of Markdown: what each case did on this change, and how reliable it was before; the least reliable first. Empty
/// without cases. `card` is what was measured, if anything was.
pub fn table(suite: &[EvalCase], card: Option<&Scorecard>) -> String {
    if suite.is_empty() {
        return String::new();
    }
    let mut cases: Vec<&EvalCase> = suite.iter().collect();
    let low = |case: &EvalCase| case.flake.rate().map_or(0.0, |rate| rate.low);
    cases.sort_by(|x, y| low(x).total_cmp(&low(y)).then(x.id.cmp(&y.id)));
    let broken =
        |case: &EvalCase| card.is_some_and(|card| card.broken_tasks.iter().any(|task| task == case.task.as_str()));
    let all_ran = |card: &Scorecard| usize::try_from(card.total()).is_ok_and(|ran| ran >= suite.len());
    let row = |case: &&EvalCase| {
        let now = match card {
            None => "not run",
            Some(_) if broken(case) => "**broken**",
            Some(card) if all_ran(card) => "holds",
            // It is over when the first one has broken.
            Some(_) => "not seen to break",
        };
        let title = escape(&truncate(&case.title, 100));
        format!(
            "| {} {title} | {now} | {} |\n",
            inline_code(case.id.as_str()),
            rate(case.flake)
        )
    };
    let rows: String = cases.iter().take(ROWS).map(row).collect();
    let mut text = format!("\n### The suite\n\n| case | on this change | passed before |\n|---|---|---|\n{rows}");
    if cases.len() > ROWS {
        text += &format!("\nAnd {} more, which were more reliable.\n", cases.len() - ROWS);
    }
    text + "\n*Passed before* counts runs since the case was fixed, on harnesses that were kept; in brackets where its pass rate lies, nineteen times in twenty.\n"
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{card, case};
    use super::*;
    use crate::id::CaseId;

    #[test]
    fn a_rate_is_told_with_how_sure_it_is() {
        let flake = |passes_after, runs_after| FlakeStatistics {
            passes_after,
            runs_after,
            ..FlakeStatistics::default()
        };
        assert_eq!(rate(flake(0, 0)), "not run since");
        assert_eq!(rate(flake(3, 3)), "3 of 3 (44 to 100 %)");
        assert_eq!(rate(flake(36, 40)), "36 of 40 (77 to 96 %)");
    }

    #[test]
    fn the_table_names_what_broke_and_begins_with_the_least_reliable() {
        let mut wavers = case(3, CaseState::Promoted);
        wavers.flake.passes_after = 1;
        let measured = Scorecard {
            broken_tasks: vec!["lost-parcel-2".to_owned()],
            ..card(2, 1, 0, 1)
        };
        let suite = [case(1, CaseState::Promoted), case(2, CaseState::Promoted), wavers];
        insta::assert_snapshot!(table(&suite, Some(&measured)).trim(), @r"
        ### The suite

        | case | on this change | passed before |
        |---|---|---|
        | `case-0003` A lost order gets a parcel trace | holds | 1 of 3 (6 to 79 %) |
        | `case-0001` A lost order gets a parcel trace | holds | 3 of 3 (44 to 100 %) |
        | `case-0002` A lost order gets a parcel trace | **broken** | 3 of 3 (44 to 100 %) |

        *Passed before* counts runs since the case was fixed, on harnesses that were kept; in brackets where its pass rate lies, nineteen times in twenty.
        ");
        let fewer = Scorecard { passed: 1, ..measured };
        assert!(table(&suite, Some(&fewer)).contains("| not seen to break |"));
        assert!(table(&suite[..1], None).contains("| not run |"));
        assert_eq!(table(&[], None), "");
        let many: Vec<EvalCase> = (0..50).map(|n| case(n, CaseState::Promoted)).collect();
        assert!(table(&many, None).contains("And 10 more"));
    }

    #[test]
    fn what_became_of_cases_is_one_line() {
        let change = |case: &str, becomes, reason: &str| SuiteChange {
            case: CaseId::new(case),
            becomes,
            aside: None,
            reason: reason.to_owned(),
        };
        let all = [
            change("case-1", CaseState::Quarantined, "wavers: passed 1 of 4"),
            change("case-2", CaseState::Promoted, "its task is there again"),
            change("case-3\u{1b}", CaseState::Retired, "people ignore all that it guards"),
        ];
        let text = changes(&all);
        assert!(
            text.starts_with(
                "  regression suite: case-1 quarantined, wavers: passed 1 of 4; case-2 back in the suite, "
            ),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'));
    }
}
