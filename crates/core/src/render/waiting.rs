//! What waits for a person: as lines of a terminal, and with a box for each on the dashboard.

use super::markdown::{escape, inline_code, marker, truncate};
use super::text::short;
use crate::case::EvalCase;
use crate::cluster::Cluster;
use crate::id::CaseId;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Cases that are shown on the dashboard.
const ROWS: usize = 50;
/// What is said of what nobody has looked at.
const UNSEEN: &str = "nobody has looked at it yet";

fn why(reason: &str) -> &str {
    if reason.is_empty() { UNSEEN } else { reason }
}

/// What waits, why, and how it is let in; nothing where nothing waits.
pub fn lines(clusters: &[(&Cluster, &str)], cases: &[(&EvalCase, &str)]) -> String {
    if clusters.is_empty() && cases.is_empty() {
        return String::new();
    }
    let mut text = "waiting for a person\n".to_owned();
    for (cluster, reason) in clusters {
        let (id, title) = (short(cluster.id.as_str(), 24), short(&cluster.title, 100));
        let _ = writeln!(text, "  {id}  {title}: {}", short(why(reason), 200));
    }
    for (case, reason) in cases {
        let (id, title) = (short(case.id.as_str(), 24), short(&case.title, 100));
        let _ = writeln!(text, "  {id}  {title}: {}", short(why(reason), 200));
    }
    if !clusters.is_empty() {
        text += "  let in with `sprag cluster accept ID`, left alone with `sprag cluster ignore ID`\n";
    }
    if !cases.is_empty() {
        text += "  let in with `sprag cases accept ID`, left out with `sprag cases reject ID`\n";
    }
    text
}

/// What the row of a cluster on the dashboard says of it, Markdown.
pub(super) fn of_cluster(reason: &str) -> String {
    format!("**waits for a person**: {}", escape(&truncate(why(reason), 200)))
}

/// The section of the dashboard with the cases; empty where none waits.
pub(super) fn cases(waiting: &[(&EvalCase, &str)]) -> String {
    if waiting.is_empty() {
        return String::new();
    }
    let mut text = "## New cases that wait for a person\n\nTick a box to let its case in; `/sprag reject <case> <reason>` leaves it out.\n\n"
        .to_owned();
    for (case, reason) in waiting.iter().take(ROWS) {
        text += &format!(
            "- [ ] {} **{}** {}: {}\n",
            marker("case", &[("id", case.id.as_str()), ("ticked", "no")]),
            escape(&truncate(&case.title, 160)),
            inline_code(case.id.as_str()),
            escape(&truncate(why(reason), 200))
        );
    }
    if waiting.len() > ROWS {
        text += &format!("\nand {} more", waiting.len() - ROWS);
    }
    text.trim_end().to_owned()
}

/// The cases whose boxes people have ticked.
pub fn ticked(body: &str) -> BTreeMap<CaseId, bool> {
    let rows = body.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = line.strip_prefix("- [x] ").or_else(|| line.strip_prefix("- [X] "))?;
        let (id, _) = rest.strip_prefix("<!-- sprag:case id=")?.split_once(' ')?;
        (!id.is_empty()).then(|| (CaseId::new(id), true))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskId;
    use crate::render::fixtures;

    fn case() -> EvalCase {
        EvalCase::new(
            CaseId::new("case-1a2b"),
            TaskId::new("t"),
            "call `refund` @all".to_owned(),
        )
    }

    #[test]
    fn what_waits_is_told_with_the_way_to_let_it_in() {
        let (cluster, case) = (&fixtures::report().clusters[0], case());
        insta::assert_snapshot!(lines(&[(cluster, "")], &[(&case, "a\u{1b}[31m taste")]), @r"
        waiting for a person
          c-handover  Hands over to a person although a tool would have helped: nobody has looked at it yet
          case-1a2b  call `refund` @all: a taste
          let in with `sprag cluster accept ID`, left alone with `sprag cluster ignore ID`
          let in with `sprag cases accept ID`, left out with `sprag cases reject ID`
        ");
        assert_eq!(lines(&[], &[]), "");
    }

    #[test]
    fn a_ticked_box_of_a_case_is_read_back() {
        let case = case();
        let section = cases(&[(&case, "")]);
        insta::assert_snapshot!(section, @r"
        ## New cases that wait for a person

        Tick a box to let its case in; `/sprag reject <case> <reason>` leaves it out.

        - [ ] <!-- sprag:case id=case-1a2b ticked=no --> **call `refund` `@all`** `case-1a2b`: nobody has looked at it yet
        ");
        assert!(ticked(&section).is_empty());
        let by_hand = section.replace("- [ ]", "- [x]");
        assert_eq!(ticked(&by_hand), BTreeMap::from([(CaseId::new("case-1a2b"), true)]));
    }
}
