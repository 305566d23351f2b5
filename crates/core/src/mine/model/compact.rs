//! A trace in few bytes: every step keeps its number, speaker and calls; long texts lose their middle, and if that is not enough, steps do.

use super::super::text::call_as_text;
use crate::trace::{Role, Step, Trace};
use std::collections::BTreeSet;
use std::fmt::Write;

/// No text gets shorter than so many characters.
const LEAST: usize = 60;
/// How many steps at the beginning are kept when some must go.
const HEAD: usize = 6;

/// The trace as text of about `bytes` bytes at most. `cited` are steps that are kept if any are left out.
pub fn compact(trace: &Trace, bytes: usize, cited: &[usize]) -> String {
    let all: BTreeSet<usize> = (0..trace.steps.len()).collect();
    let whole = written(trace, &all, usize::MAX);
    if whole.len() <= bytes {
        return whole;
    }
    let shortest = written(trace, &all, LEAST);
    let kept = if shortest.len() <= bytes {
        all
    } else {
        fewer(trace, bytes, cited)
    };
    // The longest texts that still fit.
    let (mut fits, mut too_long) = (LEAST, bytes.max(LEAST + 1));
    while too_long - fits > 20 {
        let middle = fits.midpoint(too_long);
        if written(trace, &kept, middle).len() <= bytes {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    written(trace, &kept, fits)
}

/// The cited steps with what comes before each, the first steps, and as many of the last ones as fit.
fn fewer(trace: &Trace, bytes: usize, cited: &[usize]) -> BTreeSet<usize> {
    let near = cited.iter().flat_map(|step| [step.saturating_sub(1), *step]);
    let wanted = near.chain(0..HEAD).chain((0..trace.steps.len()).rev());
    let mut kept = BTreeSet::new();
    // What the gaps take is bounded by a line between any two steps.
    let mut room = bytes.saturating_sub(40);
    for step in wanted.filter(|step| *step < trace.steps.len()) {
        let cost = written(trace, &BTreeSet::from([step]), LEAST).len() + 40;
        if kept.contains(&step) {
            continue;
        }
        let Some(left) = room.checked_sub(cost) else { break };
        room = left;
        kept.insert(step);
    }
    kept
}

fn written(trace: &Trace, kept: &BTreeSet<usize>, limit: usize) -> String {
    let mut out = String::new();
    let mut next = 0;
    for &at in kept {
        if at > next {
            let _ = writeln!(out, "[…] {} steps are left out", at - next);
        }
        next = at + 1;
        step(&mut out, at, &trace.steps[at], limit);
    }
    if kept.len() > 1 && next < trace.steps.len() {
        let _ = writeln!(out, "[…] {} steps are left out", trace.steps.len() - next);
    }
    out.trim_end().to_owned()
}

fn step(out: &mut String, at: usize, step: &Step, limit: usize) {
    let who = match (step.role, step.error) {
        (Role::System, _) => "instructions",
        (Role::User, _) => "person",
        (Role::Assistant, _) => "agent",
        (Role::Tool, false) => "tool",
        (Role::Tool, true) => "tool, failed",
    };
    let _ = writeln!(out, "[{at}] {who}: {}", middle_out(step.content.trim(), limit));
    for call in &step.tool_calls {
        let _ = writeln!(
            out,
            "    calls {}",
            middle_out(&call_as_text(call), limit.max(2 * LEAST))
        );
    }
}

/// The beginning and the end of a text, two thirds to one third.
fn middle_out(text: &str, limit: usize) -> String {
    if text.len() <= limit || text.chars().count() <= limit {
        return text.to_owned();
    }
    let tail = limit / 3;
    let head: String = text.chars().take(limit - tail).collect();
    let from = text
        .char_indices()
        .rev()
        .nth(tail.saturating_sub(1))
        .map_or(0, |(at, _)| at);
    format!("{}[…]{}", head.trim_end(), text[from..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};
    use proptest::prelude::*;

    fn long(steps: usize, length: usize) -> Trace {
        let mut all = vec![user("please help")];
        for at in 0..steps {
            all.push(agent_calls(&at.to_string(), "look_up", r#"{"order":"O-7"}"#));
            all.push(answer(
                &at.to_string(),
                &format!("begin{at} {} end{at}", "x".repeat(length)),
                at % 2 == 1,
            ));
        }
        all.push(said("I give up"));
        trace(all)
    }

    #[test]
    fn what_fits_is_whole() {
        let told = compact(&long(1, 3), 10_000, &[]);
        assert_eq!(
            told,
            "[0] person: please help\n[1] agent: \n    calls look_up {\"order\":\"O-7\"}\n[2] tool: begin0 xxx end0\n[3] agent: I give up"
        );
    }

    #[test]
    fn long_texts_lose_their_middle_before_any_step_is_lost() {
        let told = compact(&long(5, 4_000), 3_000, &[]);
        assert!(told.len() <= 3_000 && told.len() > 2_500, "{}", told.len());
        for at in 0..5 {
            let parts = [
                format!("begin{at} "),
                format!("end{at}"),
                format!("[{}] tool", 2 * at + 2),
            ];
            assert!(parts.iter().all(|part| told.contains(part)), "{parts:?} in\n{told}");
        }
        assert!(told.contains("[4] tool, failed"));
    }

    #[test]
    fn of_too_many_steps_the_cited_ones_the_first_and_the_last_stay() {
        let told = compact(&long(500, 100), 4_000, &[501]);
        assert!(told.len() <= 4_000, "{}", told.len());
        for step in ["[0] person", "[500] tool", "[501] agent", "[1001] agent: I give up"] {
            assert!(told.contains(step), "{step} in\n{told}");
        }
        assert!(told.contains("steps are left out") && !told.contains("[300]"));
    }

    proptest! {
        #[test]
        fn it_always_fits_and_never_panics(steps in 0..60_usize, length in 0..300_usize, bytes in 600..5_000_usize, cited in 0..200_usize, odd in "\\PC{0,80}") {
            let mut run = long(steps, length);
            run.steps[0].content = odd.repeat(20);
            let told = compact(&run, bytes, &[cited]);
            prop_assert!(told.len() <= bytes, "{} bytes where {bytes} were asked for", told.len());
        }
    }
}
