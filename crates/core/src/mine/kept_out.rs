//! What a tool looked at would not let the agent in.

use super::{Rule, calls, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::{Role, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "kept_out",
    description: "what a tool looked at kept the agent out (a captcha, a check for robots, a refusal of access), or the model's provider refused to answer",
    last_resort: false,
    find,
};

/// What the walls of the web say, in English whatever the page's language: they come from a few makers.
const WALLS: [&str; 11] = [
    "captcha",
    "cloudflare",
    "just a moment...",
    "verify you are human",
    "verifying you are human",
    "not a robot",
    "not a bot",
    "unusual traffic",
    "access denied",
    "403 forbidden",
    "enable javascript and cookies",
];

/// What providers say when their filter stops a model.
const FILTERS: [&str; 3] = [
    "content management policy",
    "content_filter",
    "responsibleaipolicyviolation",
];
/// A wall stands in the place of a page; further down, in bytes, such words belong to a form of the page.
const TOP: usize = 1_000;
/// A filter that stopped the agent is told of in its last messages.
const LAST: usize = 2;

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let own = exchanges.iter().filter(|call| !calls::by_person(trace, call));
    let walled = own.filter_map(|call| {
        let (at, answer) = call.answer?;
        // ASCII is all that is looked for, so that places in the lower-case text are those of the text itself.
        let said = answer.content.to_ascii_lowercase();
        let place = WALLS
            .iter()
            .find_map(|wall| said.find(wall).filter(|&place| place <= TOP))?;
        Some((
            call,
            at,
            answer.content[place..].chars().take(text::QUOTE).collect::<String>(),
        ))
    });
    let cause = walled.take(1).map(|(call, at, quote)| RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: call.call.name.clone(),
        },
        finding: format!(
            "`{}` was kept out (\"{}\").",
            call.call.name,
            text::shortened(&quote, 60)
        ),
        evidence: vec![
            Evidence { step: Some(at), quote },
            text::call_evidence(call.step, call.call),
        ],
        confidence: 0.45,
        should: "go to another source, or say that this one cannot be read".to_owned(),
        action: None,
    });
    cause.chain(filtered(trace)).collect()
}

/// Where the filter of the model's provider ended the run. Mostly it only ends what has gone wrong before.
fn filtered(trace: &Trace) -> Option<RootCause> {
    let spoken = trace
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.role, Role::Assistant | Role::Tool));
    let (step, quote) = spoken.rev().take(LAST).find_map(|(at, step)| {
        let said = step.content.to_ascii_lowercase();
        let place = FILTERS.iter().find_map(|words| said.find(words))?;
        Some((at, step.content[place..].chars().take(text::QUOTE).collect::<String>()))
    })?;
    Some(RootCause {
        mechanism: Mechanism {
            rule: RULE.ident.to_owned(),
            subject: "model".to_owned(),
        },
        finding: format!(
            "The filter of the model's provider stopped the agent (\"{}\").",
            text::shortened(&quote, 60)
        ),
        evidence: vec![Evidence {
            step: Some(step),
            quote,
        }],
        confidence: 0.25,
        should: "leave out of the conversation what the filter stops at, such as pages that nobody asked for"
            .to_owned(),
        action: None,
    })
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};

    #[test]
    fn a_wall_is_found_where_it_stands_and_a_page_is_none() {
        let run = |page: &str| {
            trace(vec![
                user("Wie heißt es?"),
                agent_calls("a", "browse", "{}"),
                answer("a", page, false),
            ])
        };
        let causes = find(&run("Título: Just a moment... Verifying"));
        assert_eq!(causes[0].mechanism.to_string(), "kept_out:browse");
        assert_eq!(
            (causes[0].evidence[0].step, causes[0].evidence[0].quote.as_str()),
            (Some(2), "Just a moment... Verifying")
        );
        assert!(find(&run("Just a moment of your time")).is_empty());
        let form = format!("{} I'm not a robot", "news ".repeat(300));
        assert!(find(&run(&form)).is_empty(), "a form below a page is no wall");
    }

    #[test]
    fn a_filter_that_ended_the_run_is_told_of() {
        let error = "Error code: 400: filtered, see the content management policy";
        let run = trace(vec![user("Who won?"), said("I look."), said(error)]);
        let cause = &find(&run)[0];
        assert_eq!(
            (cause.mechanism.subject.as_str(), cause.evidence[0].step),
            ("model", Some(2))
        );
        let asked = trace(vec![user("What is a content management policy?"), said("A rule.")]);
        assert!(find(&asked).is_empty());
    }
}
