//! The agent took what one answer listed for all there is.

use super::{Rule, calls, text};
use crate::failure::{Mechanism, RootCause};
use crate::trace::{Exchange, Role, Trace};

pub(super) const RULE: Rule = Rule {
    ident: "partial_list",
    description: "the agent narrowed its work down to the things that one answer listed, without looking whether these are all",
    last_resort: false,
    find,
};

/// So many things are a list.
const LIST: usize = 3;
/// A shorter name, in bytes, stands in every answer.
const SHORTEST: usize = 4;

fn find(trace: &Trace) -> Vec<RootCause> {
    if trace.expected.is_some() {
        return Vec::new();
    }
    let exchanges = trace.exchanges();
    let own: Vec<&Exchange<'_>> = exchanges.iter().filter(|call| !calls::by_person(trace, call)).collect();
    let asked: String = trace
        .steps
        .iter()
        .filter(|step| step.role == Role::User)
        .map(|step| step.content.to_lowercase())
        .collect();
    let found = own.windows(2).find_map(|pair| {
        let (before, call) = (pair[0], pair[1]);
        let (at, answer) = before.answer.filter(|(at, _)| *at < call.step)?;
        let request = calls::delegated(call.call)?;
        let listed = answer.content.to_lowercase();
        let taken: Vec<&str> = listed_in(request)
            .filter(|name| {
                let name = name.to_lowercase();
                listed.contains(&name) && !asked.contains(&name)
            })
            .collect();
        (taken.len() >= LIST).then_some((before, at, call, taken))
    });
    let cause = found.map(|(before, at, call, taken)| {
        let mut evidence = vec![text::call_evidence(call.step, call.call), text::answer_evidence(at, &trace.steps[at])];
        evidence.splice(0..0, calls::thought_before(trace, call.step).map(|step| text::evidence(trace, step)));
        RootCause {
            mechanism: Mechanism {
                rule: RULE.ident.to_owned(),
                subject: before.call.name.clone(),
            },
            finding: format!(
                "The agent went on with the {} that one answer of `{}` listed ({}), without looking whether there are more.",
                taken.len(),
                before.call.name,
                text::shortened(&taken.join(", "), 120)
            ),
            evidence,
            confidence: 0.43,
            should: format!("look whether `{}` has more than it showed before working on what it listed", before.call.name),
            action: None,
        }
    });
    cause.into_iter().collect()
}

/// The names in a request that lists things: of what stands between commas, the words in quotes or with capital letters. Before the first comma
/// it is the last such words that belong to the list, behind it the first ones. What holds a digit is an address or a date.
fn listed_in(request: &str) -> impl Iterator<Item = &str> {
    let parts = request.split([',', ';']).flat_map(|part| part.split(" and "));
    parts.enumerate().filter_map(|(at, part)| {
        let names = names_in(part);
        let name = if at == 0 { names.last() } else { names.first() };
        name.copied()
            .filter(|name| name.len() >= SHORTEST && !name.contains(|letter: char| letter.is_ascii_digit()))
    })
}

/// The texts in quotes, or else the runs of words with capital letters; `&` and `'s` may stand within.
fn names_in(part: &str) -> Vec<&str> {
    let quoted = part.split(['\'', '"', '“', '”', '`']).skip(1).step_by(2).map(str::trim);
    let quoted: Vec<&str> = quoted.filter(|name| name.starts_with(char::is_uppercase)).collect();
    if !quoted.is_empty() {
        return quoted;
    }
    let capital = |word: &str| word.starts_with(|letter: char| letter.is_alphanumeric() && !letter.is_lowercase());
    let mut names: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    let mut from = 0;
    for word in part.split(' ') {
        let to = from + word.len();
        match names.last_mut() {
            Some(name) if open && (capital(word) || word == "&") => name.1 = to,
            _ if capital(word) => names.push((from, to)),
            _ => {}
        }
        open = capital(word) || (open && word == "&");
        from = to + 1;
    }
    let trimmed = names
        .into_iter()
        .map(|(from, to)| part[from..to].trim_matches(|letter: char| !letter.is_alphanumeric()));
    trimmed.collect()
}

#[cfg(test)]
mod tests {
    use super::{find, listed_in};
    use crate::mine::tests::support::{agent_calls, answer, said, trace, user};
    use crate::trace::Trace;

    fn run(request: &str, page: &str) -> Trace {
        let ask = |id: &str, request: &str| {
            agent_calls(id, "browser", &serde_json::json!({ "request": request }).to_string())
        };
        trace(vec![
            user("Which bakery near the Old Mill is the cheapest?"),
            ask("a", "Search for bakeries near the Old Mill"),
            answer("a", page, false),
            said("There are three."),
            ask("b", request),
            answer("b", "closed", false),
        ])
    }

    #[test]
    fn a_list_that_one_answer_gave_is_blamed_on_the_thought_that_took_it_for_all() {
        let page = "Showing 3 of 40: Korn & Kruste, Brotzeit, Backhaus Lehmann";
        let causes = find(&run(
            "Check the prices of 'Brotzeit', 'Korn & Kruste', and Backhaus Lehmann.",
            page,
        ));
        assert_eq!(causes[0].mechanism.to_string(), "partial_list:browser");
        let places: Vec<_> = causes[0].evidence.iter().map(|evidence| evidence.step).collect();
        assert_eq!(places, [Some(3), Some(4), Some(2)]);
        assert!(
            causes[0].finding.contains("Brotzeit, Korn & Kruste"),
            "{}",
            causes[0].finding
        );
    }

    #[test]
    fn one_thing_or_a_list_from_elsewhere_is_none() {
        let page = "Korn & Kruste, Brotzeit, Backhaus Lehmann";
        for request in [
            "Check the prices of Brotzeit, on its own page.",
            "Check the prices of Ofenglück, Mehlwurm and Teigtasche.",
        ] {
            assert!(find(&run(request, page)).is_empty(), "{request}");
        }
    }

    #[test]
    fn names_are_what_stands_between_commas() {
        let request =
            "Please check the menus of Brotzeit, 'Korn & Kruste', Ofen & Co and Backhaus Lehmann to see which is open";
        let names: Vec<_> = listed_in(request).collect();
        assert_eq!(names, ["Brotzeit", "Korn & Kruste", "Ofen & Co", "Backhaus Lehmann"]);
        let address = "Search for bakeries near 12 Mill Rd, Waterford, CT 06385, and call them";
        assert_eq!(listed_in(address).collect::<Vec<_>>(), ["Waterford"]);
    }
}
