//! What a tool looked at would not let the agent in.

use super::{Rule, calls, text};
use crate::failure::{Evidence, Mechanism, RootCause};
use crate::trace::Trace;

pub(super) const RULE: Rule = Rule {
    ident: "kept_out",
    description: "what a tool looked at kept the agent out: a captcha, a check for robots, a refusal of access",
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

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let own = exchanges.iter().filter(|call| !calls::by_person(trace, call));
    let walled = own.filter_map(|call| {
        let (at, answer) = call.answer?;
        // ASCII is all that is looked for, so that places in the lower-case text are those of the text itself.
        let place = WALLS
            .iter()
            .find_map(|wall| answer.content.to_ascii_lowercase().find(wall))?;
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
    cause.collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::mine::tests::support::{agent_calls, answer, trace, user};

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
    }
}
