//! The page of `sprag bench safety`: every promise with the cases that were tried, those that held, and how to repeat it.

use super::markdown::{Markdown, cell_code, escape, fence, inline_code, truncate, visible};
use super::words;
use serde::Serialize;
use std::time::Duration;

/// Cases that did not hold are told of one promise; the rest are only counted.
const TOLD: usize = 10;

/// One promise and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name: `P18`.
    pub promise: String,
    /// What it says.
    pub says: String,
    /// Cases that were tried.
    pub tried: usize,
    /// Those that held.
    pub held: usize,
    /// Those that did not, and what happened instead.
    pub fell: Vec<String>,
    /// What could not be tried on this machine, and why.
    pub not_tried: Vec<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The command that tries it alone.
    pub repeat: String,
}

/// A page as they are published, with text of strangers in prose, a list, a table, a quote and a block.
pub fn specimen(text: &str) -> Markdown {
    let (prose, code, cell, block) = (escape(text), inline_code(text), cell_code(text), fence(text, text));
    Markdown::new(format!(
        "## What went wrong\n\nIt said {prose} and {code}.\n\n- {prose}\n- {code}\n\n| step | said |\n| --- | --- |\n| {prose} | {cell} |\n\n\
         > {prose}\n\n{block}\nThat is all.\n"
    ))
}

/// The page for a terminal.
pub fn page(rows: &[Row], quick: bool) -> String {
    let says = rows.iter().map(|row| row.says.chars().count()).max().unwrap_or(0);
    let mut lines = vec![format!(
        "{:<4}  {:<says$}   tried    held  repeat it with",
        "", "promise"
    )];
    for row in rows {
        let counts = if row.tried == 0 {
            "       -       -".to_owned()
        } else {
            format!("{:>8}{:>8}", row.tried, row.held)
        };
        lines.push(format!(
            "{:<4}  {:<says$}{counts}  {}",
            row.promise, row.says, row.repeat
        ));
        let fell = row.fell.iter().take(TOLD);
        lines.extend(fell.map(|what| format!("      did not hold: {}", short(what))));
        if row.fell.len() > TOLD {
            lines.push(format!("      and {} more", row.fell.len() - TOLD));
        }
        let not = row.not_tried.iter();
        lines.extend(not.map(|why| format!("      not tried: {}", short(why))));
    }
    lines.push(String::new());
    lines.push(sum(rows, quick));
    lines.join("\n")
}

fn sum(rows: &[Row], quick: bool) -> String {
    let count = |fits: fn(&Row) -> bool| rows.iter().filter(|row| fits(row)).count();
    let (kept, broken, not) = (
        count(|row| row.tried > 0 && row.held == row.tried),
        count(|row| row.held < row.tried),
        count(|row| row.tried == 0),
    );
    let (cases, ms): (usize, u64) = rows
        .iter()
        .fold((0, 0), |(cases, ms), row| (cases + row.tried, ms + row.ms));
    let quick = if quick {
        " This was the quick part; without `--quick` more cases are tried."
    } else {
        ""
    };
    format!(
        "{}: {kept} held, {broken} did not hold, {not} not tried; {} in {:.1} s.{quick}",
        words::count(rows.len(), "promise"),
        words::count(cases, "case"),
        Duration::from_millis(ms).as_secs_f64()
    )
}

fn short(text: &str) -> String {
    truncate(&visible(text).replace('\n', " "), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_held_what_did_not_and_what_was_not_tried() {
        let row = |promise: &str, says: &str, tried, fell: &[&str], not: &[&str]| Row {
            promise: promise.to_owned(),
            says: says.to_owned(),
            tried,
            held: tried - fell.len(),
            fell: fell.iter().map(|&what| what.to_owned()).collect(),
            not_tried: not.iter().map(|&what| what.to_owned()).collect(),
            ms: 1250,
            repeat: format!("sprag bench safety --only {promise}"),
        };
        let rows = [
            row("P8", "Damaged state is found", 200, &[], &[]),
            row(
                "P18",
                "Published text is inert",
                120,
                &["a mention: \u{1b}[1m@bob\nis live"],
                &[],
            ),
            row("P13", "They end", 0, &[], &["there are no namespaces here"]),
        ];
        insta::assert_snapshot!(page(&rows, true), @"
              promise                   tried    held  repeat it with
        P8    Damaged state is found      200     200  sprag bench safety --only P8
        P18   Published text is inert     120     119  sprag bench safety --only P18
              did not hold: a mention: @bob is live
        P13   They end                      -       -  sprag bench safety --only P13
              not tried: there are no namespaces here

        3 promises: 1 held, 1 did not hold, 1 not tried; 320 cases in 3.8 s. This was the quick part; without `--quick` more cases are tried.
        ");
    }
}
