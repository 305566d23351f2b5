//! The one issue that shows everything: clusters by rank with boxes to tick, pull requests, the suite, the last run.

use super::markdown::{Markdown, escape, inline_code, marker, truncate, within};
use super::{suite, waiting, words};
use crate::book::{Book, PullState};
use crate::case::EvalCase;
use crate::cluster::Cluster;
use crate::curation::{Review, Standing};
use crate::id::ClusterId;
use crate::machine::State;
use std::collections::BTreeMap;

/// Its title.
pub const TITLE: &str = "sprag dashboard";
/// By this it is found again.
pub const MARKER: &str = "<!-- sprag:dashboard";
/// Of the 65,536 characters that GitHub takes, those for the clusters.
const MAX_BODY: usize = 40_000;
/// The same for all of it.
const MAX_WHOLE: usize = 65_000;
/// Clusters in the table.
const ROWS: usize = 200;

/// The body. It changes only when something changes that it shows.
///
/// `review` is who confirms what is new.
pub fn dashboard(book: &Book, suite: &[EvalCase], review: Review) -> Markdown {
    let suite = book.suite_of(suite);
    let sections = [
        marker("dashboard", &[]),
        in_short(book, &suite),
        suite::aside(&suite),
        clusters(book, review),
        new_cases(book, review),
        resolved(book),
        kinds(book),
        last_run(book),
        "---\n\n<sub>Kept up to date by sprag; what is written here by hand is overwritten, but for the boxes. `/sprag help` in a comment lists the commands.</sub>".to_owned(),
    ];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    Markdown::new(within(sections.join("\n\n") + "\n", MAX_WHOLE))
}

fn in_short(book: &Book, suite: &[EvalCase]) -> String {
    let waiting: Vec<String> = book
        .pulls
        .iter()
        .filter(|(_, pull)| pull.state == PullState::Open)
        .map(|(number, _)| format!("#{number}"))
        .collect();
    let merged = book
        .pulls
        .values()
        .filter(|pull| matches!(pull.state, PullState::Merged { .. }));
    let aside = suite.iter().filter(|case| suite::badge(case).is_some()).count();
    let mut lines = vec![
        format!(
            "- **{}** in {}, {} unresolved",
            words::count(book.records.len(), "failure"),
            words::count(book.clusters.clusters.len(), "cluster"),
            book.clusters.ranked().len()
        ),
        format!(
            "- **{}** merged; waiting for review: {}",
            words::count(merged.count(), "change"),
            if waiting.is_empty() {
                "none".to_owned()
            } else {
                waiting.join(", ")
            }
        ),
    ];
    let mut cases = format!("- **{}** in the regression suite", words::count(suite.len(), "case"));
    if aside > 0 {
        cases += &format!(", {aside} of them not counted");
    }
    if let Some((commit, card)) = book.suite.last().filter(|(_, card)| card.total() > 0) {
        let commit = commit.get(..12).unwrap_or(commit);
        cases += &format!("; on {}, {} pass", inline_code(commit), words::result(card));
    }
    lines.push(cases);
    lines.join("\n")
}

fn clusters(book: &Book, review: Review) -> String {
    let ranked = book.clusters.ranked();
    if ranked.is_empty() {
        return "## Clusters\n\nNo failure is unresolved.".to_owned();
    }
    let mut text = String::from(
        "## Clusters\n\nBy rank: recent failures × (1 + share of all failed runs) × weight of the severity × (1 − resolved share). Tick a box to have its cluster worked on next.\n\n",
    );
    for (index, (_, cluster)) in ranked.iter().enumerate() {
        let row = row(book, cluster, review);
        if index >= ROWS || text.len() + row.len() > MAX_BODY {
            return text + &format!("\nand {} more", ranked.len() - index);
        }
        text += &row;
    }
    text.trim_end().to_owned()
}

fn row(book: &Book, cluster: &Cluster, review: Review) -> String {
    let ticked = book.preferred.contains(&cluster.id);
    let tick = if ticked { "x" } else { " " };
    let issues: Vec<String> = book
        .issues_of(&cluster.id)
        .iter()
        .take(10)
        .map(|issue| format!("#{issue}"))
        .collect();
    let mut facts = vec![
        words::count(cluster.total_failures(), "failure"),
        format!("{} resolved", cluster.resolved()),
        words::cluster_state(cluster.state).to_owned(),
    ];
    match book.curations.cluster(review, &book.clusters, &cluster.id) {
        Standing::Accepted => {}
        Standing::Waits(why) => facts.push(waiting::of_cluster(why)),
        Standing::Rejected(why) => facts.push(format!("left alone: {}", escape(&truncate(why, 200)))),
    }
    if let Some((number, _)) = book.open_pull(&cluster.id) {
        facts.push(format!("pull request #{number}"));
    }
    if !issues.is_empty() {
        facts.push(format!("reported in {}", issues.join(", ")));
    }
    if let Some(rank) = book.clusters.rank_of(&cluster.id) {
        facts.push(words::rank(&rank));
    }
    format!(
        "- [{tick}] {} **{}** `{}`: {}\n",
        marker(
            "cluster",
            &[
                ("id", cluster.id.as_str()),
                ("ticked", if ticked { "yes" } else { "no" })
            ]
        ),
        escape(&truncate(&cluster.title, 160)),
        cluster.id,
        facts.join(", ")
    )
}

/// Candidates of the newest run that wait for a person.
fn new_cases(book: &Book, review: Review) -> String {
    let Some(state) = book.latest_run().and_then(|run| book.run(run)) else {
        return String::new();
    };
    let candidates = state.cases.candidates();
    let waiting = candidates.filter_map(|case| Some((case, book.curations.case(review, &case.id).waits()?)));
    waiting::cases(&waiting.collect::<Vec<_>>())
}

fn resolved(book: &Book) -> String {
    let done = book
        .clusters
        .clusters
        .values()
        .filter(|cluster| !cluster.state.is_unresolved());
    let rows: Vec<String> = done
        .take(50)
        .map(|cluster| {
            let by = book
                .merged_pull(&cluster.id)
                .map_or_else(String::new, |(number, _)| format!(" by #{number}"));
            format!(
                "- {} `{}`: {}{by}",
                escape(&truncate(&cluster.title, 160)),
                cluster.id,
                words::cluster_state(cluster.state)
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<details>\n<summary>Resolved and ignored: {}</summary>\n\n{}\n\n</details>",
        rows.len(),
        rows.join("\n")
    )
}

/// Failures by who is to blame, as a chart that GitHub draws.
fn kinds(book: &Book) -> String {
    let kinds = book.kinds();
    if kinds.is_empty() {
        return String::new();
    }
    let rows: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("    \"{kind}\" : {count}"))
        .collect();
    format!(
        "## Failures by who is to blame\n\nOnly those of the agent drive changes.\n\n```mermaid\npie showData\n{}\n```",
        rows.join("\n")
    )
}

fn last_run(book: &Book) -> String {
    let Some(state) = book.latest_run().and_then(|run| book.run(run)) else {
        return "## Last run\n\nNone yet. One begins on schedule, from the *Actions* tab, or with `/sprag run`."
            .to_owned();
    };
    format!("## Last run\n\n{}", run(&state))
}

/// What a run did, as a list.
pub fn run(state: &State) -> String {
    let ended = state.finished.as_deref().unwrap_or("it goes on, or was stopped");
    let mut lines = vec![format!("- {}", escape(ended))];
    if let Some(baseline) = &state.baseline {
        lines.push(format!(
            "- validation on the harness as it is: {}",
            words::result(baseline)
        ));
    }
    for experiment in state.experiments.iter().take(30) {
        lines.push(format!(
            "- `{}` {}: {}",
            experiment.id,
            escape(&truncate(&experiment.candidate.title, 120)),
            words::verdict(experiment.verdict.as_ref())
        ));
    }
    lines.push(format!(
        "- {} and ${:.2}",
        words::count(state.spent.task_runs, "task run"),
        state.spent.usd
    ));
    lines.join("\n")
}

/// The boxes of a dashboard that people changed since it was written, and whether they are ticked now: each row says beside its box how
/// it was written.
pub fn changed(body: &str) -> BTreeMap<ClusterId, bool> {
    let rows = body.lines().filter_map(|line| {
        let line = line.trim_start();
        let (ticked, rest) = match line.get(..6)? {
            "- [x] " | "- [X] " => (true, &line[6..]),
            "- [ ] " => (false, &line[6..]),
            _ => return None,
        };
        let (id, rest) = rest.strip_prefix("<!-- sprag:cluster id=")?.split_once(' ')?;
        let written = match rest.split(' ').next()? {
            "ticked=yes" => true,
            "ticked=no" => false,
            _ => return None,
        };
        (ticked != written && !id.is_empty()).then(|| (ClusterId::new(id), ticked))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Decision, Fact, Reading, What};
    use crate::render::fixtures;

    fn book(preferred: bool) -> Book {
        let record = fixtures::record();
        let mut facts = vec![Fact {
            at: "2026-11-01T00:00:00Z".to_owned(),
            what: What::IssueRead {
                issue: 7,
                digest: String::new(),
                as_of: "2026-11-01T00:00:00Z".to_owned(),
                opened_at: "2026-11-01T00:00:00Z".to_owned(),
                told_at: BTreeMap::new(),
                reading: Reading::Failures { records: vec![record] },
            },
        }];
        if preferred {
            let cluster = Book::fold(&facts).clusters_of(7)[0].clone();
            facts.push(Fact {
                at: "2026-11-02T00:00:00Z".to_owned(),
                what: What::Commanded {
                    comment: 1,
                    on: 7,
                    by: "alice".to_owned(),
                    decisions: vec![Decision::Prefer { cluster }],
                    reply: String::new(),
                    refused: false,
                },
            });
        }
        Book::fold(&facts)
    }

    #[test]
    fn it_shows_clusters_by_rank_with_a_box_each() {
        insta::assert_snapshot!(dashboard(&book(false), &[], Review::default()), @r#"
        <!-- sprag:dashboard -->

        - **1 failure** in 1 cluster, 1 unresolved
        - **0 changes** merged; waiting for review: none
        - **0 cases** in the regression suite

        ## Clusters

        By rank: recent failures × (1 + share of all failed runs) × weight of the severity × (1 − resolved share). Tick a box to have its cluster worked on next.

        - [ ] <!-- sprag:cluster id=c-576cd7b8 ticked=no --> **never does `open_parcel_trace` when it is needed** `c-576cd7b8`: 1 failure, 0 resolved, open, reported in #7, medium severity, rank 2.0 = 1.0 × 2.00 × 1 × 1.00

        ## Failures by who is to blame

        Only those of the agent drive changes.

        ```mermaid
        pie showData
            "agent" : 1
        ```

        ## Last run

        None yet. One begins on schedule, from the *Actions* tab, or with `/sprag run`.

        ---

        <sub>Kept up to date by sprag; what is written here by hand is overwritten, but for the boxes. `/sprag help` in a comment lists the commands.</sub>
        "#);
    }

    #[test]
    fn what_people_tick_and_clear_is_read_back_and_what_was_written_is_not() {
        let (cleared, ticked) = (
            dashboard(&book(false), &[], Review::default()),
            dashboard(&book(true), &[], Review::default()),
        );
        let cluster = book(true).clusters_of(7)[0].clone();
        assert!(changed(&cleared).is_empty() && changed(&ticked).is_empty());
        let by_hand = |body: &str, from: &str, to: &str| changed(&body.replace(from, to));
        assert_eq!(
            by_hand(&cleared, "- [ ]", "- [x]"),
            BTreeMap::from([(cluster.clone(), true)])
        );
        assert_eq!(
            by_hand(&cleared, "- [ ]", "  - [X]"),
            BTreeMap::from([(cluster.clone(), true)])
        );
        assert_eq!(by_hand(&ticked, "- [x]", "- [ ]"), BTreeMap::from([(cluster, false)]));
        let odd = "- [x] <!-- sprag:cluster id= ticked=no -->\n- [x] c-1\n- [x] <!-- sprag:cluster id=c-2 -->\n- [é";
        assert!(changed(odd).is_empty());
    }
}
