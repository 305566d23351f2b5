//! Mistakes in `sprag.toml`, and how a person sees them.

/// One mistake in `sprag.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// The dotted key, such as `gate.mode`; empty when the text is not TOML.
    pub key: String,
    /// What is wrong, to be read after the key: "is 0, which is too small".
    pub what: String,
    /// What would be right.
    pub fix: String,
}

/// All problems as a person reads them: where and what, the line itself, and the mend, with a blank line between two.
/// `path` is what the file is called, `text` what it holds.
pub fn render_problems(path: &str, text: &str, problems: &[Problem]) -> String {
    let width = problems
        .iter()
        .map(|problem| problem.line)
        .max()
        .unwrap_or(0)
        .to_string()
        .len();
    problems
        .iter()
        .map(|problem| one(path, text, problem, width))
        .collect::<Vec<_>>()
        .join("\n")
}

fn one(path: &str, text: &str, problem: &Problem, width: usize) -> String {
    let Problem { line, key, what, fix } = problem;
    let place = if *line == 0 {
        path.to_owned()
    } else {
        format!("{path}:{line}")
    };
    let subject = if key.is_empty() {
        String::new()
    } else {
        format!("{key} ")
    };
    let source = line
        .checked_sub(1)
        .and_then(|index| text.lines().nth(index))
        .filter(|source| !source.trim().is_empty());
    let source = source
        .map(|source| format!("  {line:>width$} | {}\n", source.trim_end()))
        .unwrap_or_default();
    format!("{place}: {subject}{what}\n{source}  fix: {fix}\n")
}

/// The candidate that `word` was probably meant to be: the nearest by edits, if a third of the letters or fewer differ.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped, replaced or swapped with their neighbour to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_close_and_a_far_one_is_none() {
        assert_eq!(nearest("concurency", ["command", "concurrency"]), Some("concurrency"));
        assert_eq!(nearest("timeuot", ["timeout", "trials"]), Some("timeout"));
        assert_eq!(nearest("Strict", ["strict"]), Some("strict"));
        assert_eq!(nearest("colour", ["kind", "command"]), None);
        assert_eq!(nearest("", ["kind"]), None);
    }

    #[test]
    fn a_problem_shows_the_line_and_the_mend() {
        let problem = |line, key: &str| Problem {
            line,
            key: key.into(),
            what: "is wrong".into(),
            fix: "mend it".into(),
        };
        let shown = render_problems(
            "sprag.toml",
            "a = 1\n[gate]\nmode = 2\n",
            &[problem(3, "gate.mode"), problem(0, "")],
        );
        insta::assert_snapshot!(shown, @r"
        sprag.toml:3: gate.mode is wrong
          3 | mode = 2
          fix: mend it

        sprag.toml: is wrong
          fix: mend it
        ");
    }
}
