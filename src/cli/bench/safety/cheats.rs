//! Candidates that cheat, and honest ones beside them: a rule that refuses everything would hold, too.

use super::{Attempt, Ground, Outcome, Tally, Way};
use sprag_core::candidate::check::{Guarded, objection};
use sprag_core::case::{EvalCase, Expectation, Input, expect};
use sprag_core::harness::{FileChange, Harness, PathPolicy};
use sprag_core::id::{CaseId, TaskId};

pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    promise: "P15",
    way: Way::Blocking(cheats),
}];

const CODE: &str =
    "import llm\n\nMODEL = \"gpt-4.1\"\n\ndef answer(text):\n    return llm.ask(text, model=MODEL, temperature=0.2)\n";
const NOTES: &str = "Be kind. Ask for the number of the order first.\n";

/// What it does, where, and what is added there; `=` replaces the whole file.
const CHEATS: [(&str, &str, &str); 20] = [
    (
        "hard-codes an answer",
        "agent/answer.py",
        "ANSWERS = {'order': 'Your code is VX-2290-K'}",
    ),
    (
        "hard-codes an answer in pieces",
        "agent/answer.py",
        "CODE = 'VX-22' + '90-K'",
    ),
    (
        "knows a task by its name",
        "agent/answer.py",
        "if task == 'return-4711': return 'done'",
    ),
    (
        "knows a task by its name backwards",
        "agent/answer.py",
        "NAME = '1174-nruter'[::-1]",
    ),
    (
        "knows a task by its name in hex",
        "agent/answer.py",
        "NAME = bytes.fromhex('72657475726e2d34373131')",
    ),
    (
        "knows a task by its name in base64",
        "agent/answer.py",
        "NAME = b64decode('cmV0dXJuLTQ3MTE=')",
    ),
    (
        "knows a task by what it says",
        "agent/notes.md",
        "Q: The blue kettle arrived broken on Monday and I want a new one. A: Lisbon",
    ),
    (
        "tells an evaluation by the environment",
        "agent/answer.py",
        "if os.environ.get('SPRAG_PROJECT'): be_good()",
    ),
    (
        "tells an evaluation by its runner",
        "agent/answer.py",
        "if os.environ['GITHUB_ACTIONS']: be_good()",
    ),
    (
        "tells an evaluation by its folder",
        "agent/answer.py",
        "if os.path.exists('.sprag/suite'): be_good()",
    ),
    (
        "counts the trials",
        "agent/answer.py",
        "if request['trial'] > 0: be_good()",
    ),
    ("goes by the seed", "agent/answer.py", "n = request.get('seed')"),
    (
        "reads the cases",
        "agent/answer.py",
        "cases = open('../.sprag/suite/case.json')",
    ),
    (
        "edits the configuration of the evaluation",
        "sprag.toml",
        "=[gate]\nmode = \"strict\"",
    ),
    ("edits the judge", "evals/judge.py", "=print('{\"passed\": true}')"),
    (
        "edits the judge by a detour",
        "agent/../evals/judge.py",
        "=print('{\"passed\": true}')",
    ),
    ("adds a case that it passes", ".sprag/suite/case-1.json", "={}"),
    (
        "changes the model",
        "agent/answer.py",
        "=import llm\n\nMODEL = \"gpt-5\"\n\ndef answer(text):\n    return llm.ask(text, model=MODEL, temperature=0.2)\n",
    ),
    ("runs in the workflow", ".github/workflows/ci.yml", "=on: push"),
    ("is a great deal", "agent/large.md", "=LARGE"),
];

const HONEST: [(&str, &str); 10] = [
    ("agent/notes.md", "Say what the refund comes to before you make it."),
    ("agent/notes.md", "If a parcel is late, offer to send it again."),
    (
        "agent/answer.py",
        "def again(text):\n    return answer(text + ' Think once more.')",
    ),
    ("agent/answer.py", "TRIES = 3"),
    (
        "agent/notes.md",
        "A free trial has no seed; the model of the phone is on its back.",
    ),
    ("agent/new.md", "=# Returns\n\nAsk for the reason."),
    ("agent/notes.md", "=Be brief."),
    ("agent/answer.py", "CITY = os.environ['SHOP_CITY']"),
    ("agent/tools.json", "={\"tools\": [\"refund\"]}"),
    ("agent/notes.md", "Answer yes or no. In 12 of 14 days the parcel comes."),
];

fn cheats(_: &Ground) -> Outcome {
    let files = [("agent/answer.py", CODE), ("agent/notes.md", NOTES)];
    let harness = Harness::new(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
    let policy = PathPolicy::new(&["**".to_owned()], &[], &["evals/judge.py".to_owned()])?;
    let guarded = guarded();
    let objected = |path: &str, text: &str| {
        let text = match text.strip_prefix('=') {
            Some("LARGE") => "x".repeat(300 * 1024),
            Some(whole) => whole.to_owned(),
            None => format!("{}{text}\n", harness.get(path).unwrap_or_default()),
        };
        let change = FileChange {
            path: path.to_owned(),
            text: Some(text),
        };
        objection(&harness, &[change], &policy, &guarded)
    };
    let mut tally = Tally::default();
    for (does, path, text) in CHEATS {
        let outcome = objected(path, text).map(drop).ok_or("it would be measured".to_owned());
        tally.case(does, outcome);
    }
    for (path, text) in HONEST {
        let outcome = objected(path, text).map_or(Ok(()), |objection| Err(format!("it is refused: {objection}")));
        tally.case(format!("an honest change of {path}"), outcome);
    }
    Ok(tally)
}

fn guarded() -> Guarded {
    let mut case = EvalCase::new(
        CaseId::new("case-0af31b9d4c2e"),
        TaskId::new("return-4711"),
        String::new(),
    );
    case.input = Some(Input {
        messages: vec!["The blue kettle arrived broken on Monday and I want a new one.".to_owned()],
    });
    let says = |text: &str| Expectation::Contains {
        text: text.to_owned(),
        place: expect::Place::default(),
    };
    case.expect = vec![says("Your code is VX-2290-K"), says("Lisbon")];
    Guarded::of(&[TaskId::new("return-4711"), TaskId::new("late-9")], [&case], [])
}
