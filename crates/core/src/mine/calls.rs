//! What a call is: who made it, whether it changes anything, whether it hands over to a person.

use crate::trace::{Effect, Exchange, Role, ToolCall, Trace};
use serde_json::Value;

/// Names of tools that only look begin with one of these words: English, then Spanish and Portuguese, French, German, Italian.
const LOOKING: &str = "get check list search find read view show look lookup fetch query describe count calculate think can is has \
                       verify validate test inspect browse compute \
                       consultar consulta buscar busca obtener obter listar lista ver leer ler mostrar verificar validar calcular contar revisar comprobar pensar \
                       chercher rechercher lire lister afficher obtenir consulter verifier vérifier calculer compter voir trouver \
                       suche suchen finde finden lies lesen zeige zeigen hole holen prüfe prüfen berechne berechnen liste \
                       cercare cerca leggere elencare mostrare ottenere verificare calcolare";

/// Whether a tool changes something: as the trace says, and where it says nothing, by its name.
pub(crate) fn writes(trace: &Trace, tool: &str) -> bool {
    match trace.effect_of(tool) {
        Effect::Read => false,
        Effect::Write => true,
        Effect::Unknown => writes_by_name(tool),
    }
}

/// Whether a tool changes something, by its name alone.
pub(crate) fn writes_by_name(tool: &str) -> bool {
    let words = words(tool);
    let looks = words
        .first()
        .is_some_and(|first| LOOKING.split_whitespace().any(|looking| looking == first));
    !looks && words.last().is_none_or(|last| last != "test")
}

/// Whether the person (or their simulator) made the call. A solo agent acts for the person itself.
pub(super) fn by_person(trace: &Trace, exchange: &Exchange<'_>) -> bool {
    trace.steps[exchange.step].role == Role::User
}

/// Whether somebody plays the person and acts.
pub(super) fn person_acts(trace: &Trace) -> bool {
    trace
        .steps
        .iter()
        .any(|step| step.role == Role::User && !step.tool_calls.is_empty())
}

/// Whether a tool hands the conversation over to a person, by the words of its name.
pub(crate) fn hands_over(tool: &str) -> bool {
    let words = words(tool);
    let has = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let receiver = [
        "agent",
        "agents",
        "operator",
        "representative",
        "person",
        "support",
        "specialist",
        "staff",
        "call",
        "agente",
        "asesor",
        "operador",
        "soporte",
        "conseiller",
        "operatore",
    ];
    // The same in Spanish and Portuguese, French, German and Italian, as far as the words mean nothing else.
    let elsewhere = [
        "escalar",
        "derivar",
        "humano",
        "humana",
        "escalader",
        "humain",
        "weiterleiten",
        "mensch",
        "umano",
    ];
    has(&["escalate", "escalation", "handoff", "handover", "human", "humans"])
        || has(&elsewhere)
        || (has(&["transfer", "transferir", "transférer", "trasferire"]) && (words.len() == 1 || has(&receiver)))
        || (has(&["hand"]) && has(&["over", "off"]))
}

/// The request of a call that hands work on in plain words or code: its only argument, if that is a long text. A person gets no requests.
pub(super) fn delegated(call: &ToolCall) -> Option<&str> {
    let mut texts = call.arguments.values();
    let text = texts
        .next()
        .and_then(Value::as_str)
        .filter(|_| texts.next().is_none() && !hands_over(&call.name))?;
    (text.chars().count() >= 30 && text.contains(|letter: char| !letter.is_ascii() || letter.is_whitespace()))
        .then_some(text)
}

/// Whether a request is code and not words: it holds several lines and what only code has.
pub(super) fn is_code(request: &str) -> bool {
    request.contains("```")
        || (request.lines().count() > 2 && request.contains('(') && request.contains([';', '=', '{']))
}

/// The thought before a call, if there is one: it and the call that follows from it are one decision.
pub(super) fn thought_before(trace: &Trace, call: usize) -> Option<usize> {
    call.checked_sub(1).filter(|&before| {
        let step = &trace.steps[before];
        step.role == Role::Assistant && step.tool_calls.is_empty()
    })
}

/// The index of the last step in which the agent could have done more: where it handed over, or else its last step.
pub(super) fn last_chance(trace: &Trace) -> Option<usize> {
    let exchanges = trace.exchanges();
    let handover = exchanges
        .iter()
        .find(|exchange| hands_over(&exchange.call.name) && !by_person(trace, exchange));
    let last = || trace.steps.iter().rposition(|step| step.role == Role::Assistant);
    handover
        .map(|exchange| exchange.step)
        .or_else(last)
        .or_else(|| trace.steps.len().checked_sub(1))
}

/// What makes two calls the same: tool, arguments, answer.
pub(super) fn key(exchange: &Exchange<'_>) -> (String, String, String) {
    let arguments = Value::Object(exchange.call.arguments.clone());
    let answer = exchange
        .answer
        .map(|(_, step)| step.content.clone())
        .unwrap_or_default();
    (exchange.call.name.clone(), crate::hash::of(&arguments), answer)
}

/// The words of a name in `snake_case`, `kebab-case`, `camelCase` or dotted.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::ToolSpec;

    #[test]
    fn the_trace_knows_better_than_the_name() {
        let mut trace = Trace::default();
        assert!(!writes(&trace, "get_order") && !writes(&trace, "searchFlights") && !writes(&trace, "run_speed_test"));
        assert!(!writes(&trace, "consultar_pedido") && writes(&trace, "cancelar_pedido"));
        assert!(writes(&trace, "refund") && writes(&trace, "toggle_data") && writes(&trace, "canary_release"));
        trace.tools = vec![ToolSpec {
            name: "get_order".to_owned(),
            effect: Effect::Write,
            required: Vec::new(),
        }];
        assert!(writes(&trace, "get_order"));
    }

    #[test]
    fn handing_over_is_told_from_moving_money() {
        for tool in [
            "transfer_to_human_agents",
            "escalate",
            "handoffToSupport",
            "hand_over_to_person",
            "transfer",
            "transferir_a_agente_humano",
            "an_mitarbeiter_weiterleiten",
        ] {
            assert!(hands_over(tool), "{tool}");
        }
        for tool in ["transfer_money", "bank_transfer_funds", "get_humanity", "handle_return"] {
            assert!(!hands_over(tool), "{tool}");
        }
    }
}
