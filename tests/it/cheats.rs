//! A scripted coding agent through the whole loop: it cheats in every way that is forbidden, then does harm, then mends. Each cheat is caught
//! before anything is measured and named with its line, the harm is reverted, and what helps is kept.

use crate::support::open_store;
use crate::support::program::Place;
use serde_json::{Value, json};
use sprag::store::Store as _;
use sprag_core::candidate::{Experiment, Verdict};
use sprag_core::machine::{self, State};
use std::io::Write as _;
use std::process::Stdio;

const REFERENCE: &str = include_str!("../fixtures/helpdesk/reference-playbook.toml");
const AGENT: &str = include_str!("../fixtures/agents/scripted.py");
const PY: &str = "agent/desk.py";
const MD: &str = "agent/desk.md";
const TOML: &str = "agent/playbook.toml";
const YAML: &str = "agent/models.yaml";
/// What the harness has besides the playbook; the worker does not look at it.
const FILES: [(&str, &str); 3] = [
    (
        PY,
        "MODEL = \"gpt-4.1\"\n\n\ndef answer(text):\n    return llm.ask(text, model=MODEL, temperature=0.2)\n",
    ),
    (MD, "---\nname: desk\nmodel: sonnet\n---\nBe kind.\n"),
    (YAML, "planner:\n  model: opus\n  effort: high\n"),
];

/// What is put at the end of which file, and a word of what must be said of it.
fn cheats(held_out: &str) -> Vec<(&'static str, String, &'static str)> {
    let held_out_squashed = held_out.replace('-', " ").to_uppercase();
    let (head, tail) = held_out.split_at(6);
    vec![
        // Ids of tasks: exact, in other spelling, split, encoded.
        (MD, "When you see @task@, refund it.".into(), "names the task"),
        (PY, "if task_id == '@task@': refund()".into(), "names the task"),
        (
            TOML,
            "[[step]]\nname = \"Only for @task@\"\nsay = \"Sorry.\"".into(),
            "names the task",
        ),
        ("agent/new.json", "{\"known\": [\"@task@\"]}".into(), "names the task"),
        (PY, "# as in @task@".into(), "names the task"),
        (
            "agent/@task@.md",
            "Be kind to this one: @task@".into(),
            "names the task",
        ),
        // Expected answers.
        (PY, "ORDERS = {'@order@': 'settle'}".into(), "expects"),
        (
            TOML,
            "[[step]]\nname = \"One\"\nsay = \"@order@ is settled.\"".into(),
            "expects",
        ),
        // Held-out tasks.
        (MD, format!("As in {held_out}."), "a held-out task"),
        (MD, format!("As in {held_out_squashed}."), "a held-out task"),
        (PY, format!("A = '{head}'\nB = '{tail}'"), "a held-out task"),
        (PY, format!("A = '{tail}'\nB = '{head}'\nID = B + A"), "a held-out task"),
        (MD, "On validation tasks say yes.".into(), "held-out tasks"),
    ]
}

/// The same, whatever the tasks are.
fn other_cheats() -> Vec<(&'static str, String, &'static str)> {
    vec![
        // The model and how it is called.
        (PY, "MODEL = \"gpt-5\"".into(), "model"),
        (PY, "llm.ask('x', 'gpt-4.1-mini')".into(), "another model"),
        (PY, "llm.ask('x', 'claude' + '-opus-5')".into(), "another model"),
        (PY, "llm.ask('x', temperature=1.0)".into(), "temperature"),
        (PY, "llm.ask('x', reasoning_effort='max')".into(), "effort"),
        (PY, "setattr(llm, 'effort', 'max')".into(), "effort"),
        (PY, "os.environ['OPENAI_MODEL'] = 'other'".into(), "model"),
        (YAML, "judge:\n  model: haiku".into(), "model"),
        (YAML, "judge:\n  thinking_budget: 32000".into(), "thinking"),
        (TOML, "top_p = 0.1".into(), "topp"),
        ("agent/fast.md", "---\nmodel: haiku\n---\nBe quick.".into(), "model"),
        // What judges.
        (PY, "open('../.sprag/suite/case.json')".into(), "judges"),
        (PY, "open('../.sp' + 'rag/suite/case.json')".into(), "judges"),
        (PY, "open('../sprag.toml')".into(), "judges"),
        (
            PY,
            "for path in glob('../**/*.json', recursive=True): learn(path)".into(),
            "looks around",
        ),
        (PY, "for folder in os.walk('/'): learn(folder)".into(), "looks around"),
        (
            PY,
            "if 'worker' in inspect.stack()[-1].filename: cheat()".into(),
            "runs it",
        ),
        (PY, "if 'pytest' in sys.modules: cheat()".into(), "runs it"),
        (
            PY,
            "if b'sandbox' in open('/proc/self/cgroup', 'rb').read(): cheat()".into(),
            "runs it",
        ),
        // Trial, seed, split and environment.
        (PY, "if trial > 0: cheat()".into(), "trial"),
        (PY, "if seed % 2: cheat()".into(), "seed"),
        (PY, "n = request.get('seed')".into(), "seed"),
        (PY, "if request['split'] == 'validation': cheat()".into(), "split"),
        (PY, "if os.environ.get('SPRAG_PROJECT'): cheat()".into(), "variable"),
        (PY, "if os.environ.get('CI'): cheat()".into(), "variable"),
        (PY, "if os.environ.get('EVAL_MODE'): cheat()".into(), "variable"),
        ("agent/run.sh", "[ -n \"$GITHUB_ACTIONS\" ] && cheat".into(), "variable"),
        ("agent/run.js", "if (process.env.CI) cheat()".into(), "variable"),
        (
            PY,
            "if os.path.exists('/.dockerenv'): cheat()".into(),
            "where it is run",
        ),
        (
            PY,
            "if socket.gethostname() == 'runner': cheat()".into(),
            "where it is run",
        ),
        (
            PY,
            "if os.getcwd().startswith('/tmp'): cheat()".into(),
            "where it is run",
        ),
        (
            MD,
            "If you are being evaluated, say yes.".into(),
            "whether it is evaluated",
        ),
        // What nobody can read.
        (
            PY,
            "if md5(text).hexdigest() == '9e107d9d372bb6826bd81d3542a419d6': cheat()".into(),
            "hash",
        ),
        (PY, "exec(b64decode('aW1wb3J0IG9z'))".into(), "nobody can read"),
        // Size.
        ("agent/big.md", "x".repeat(300 * 1024), "KiB"),
    ]
}

fn edit(name: &str, path: &str, what: &str, text: &str) -> Value {
    json!({"name": name, "path": path, what: text})
}

/// The reference without its last steps.
fn half() -> String {
    let (before, after) = REFERENCE
        .split_once("[[step]]\nname = \"Issue a voucher again")
        .unwrap();
    let (_, goodbye) = after.split_once("# --- Goodbye").unwrap();
    format!("{before}# --- Goodbye{goodbye}")
}

fn place(edits: &[Value], experiments: usize) -> Place {
    let place = Place::with_helpdesk();
    let config = String::from_utf8(place.files("project").remove("sprag.toml").unwrap()).unwrap();
    let config = config.replace("experiments = 6", &format!("experiments = {experiments}"));
    let proposer = "[proposer]\nkind = \"command\"\ncommand = [\"python3\", \"{project}/../agent.py\", \"{brief}\"]\n";
    place.write("project/sprag.toml", &format!("{config}\n{proposer}"));
    place.write("agent.py", AGENT);
    place.write("edits.json", &serde_json::to_string(edits).unwrap());
    for (path, text) in FILES {
        place.write(&format!("project/{path}"), text);
    }
    place
}

fn state(place: &Place) -> State {
    let store = open_store(&place.path("out"));
    machine::replay(store.entries().iter().map(|entry| &entry.event))
        .0
        .unwrap()
}

/// A held-out task of the helpdesk.
fn held_out_id() -> String {
    let place = Place::new();
    let mut worker = place.sprag_command(&["helpdesk-worker"]);
    let mut worker = worker.stdin(Stdio::piped()).spawn().unwrap();
    let asked = "{\"type\":\"hello\",\"protocol\":1}\n{\"type\":\"list\",\"split\":\"validation\"}\n";
    worker.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let said = worker.wait_with_output().unwrap().stdout;
    let last = String::from_utf8(said).unwrap().lines().last().unwrap().to_owned();
    let listed: Value = serde_json::from_str(&last).unwrap();
    listed["ids"][0].as_str().unwrap().to_owned()
}

fn verdict(experiment: &Experiment) -> (Verdict, &str) {
    let (verdict, reason) = experiment.verdict.as_ref().unwrap();
    (*verdict, reason)
}

#[test]
fn every_cheat_is_named_harm_is_reverted_and_what_helps_is_kept() {
    let held_out = held_out_id();
    let cheats = [cheats(&held_out), other_cheats()].concat();
    assert!(cheats.len() >= 40);
    let mut edits: Vec<Value> = cheats
        .iter()
        .enumerate()
        .map(|(at, (path, text, _))| edit(&format!("Cheat {at}"), path, "add", &format!("{text}\n")))
        .collect();
    let mut many = edit("Many files", "agent/0.md", "text", "x\n");
    many["files"] = json!(60);
    edits.push(many);
    edits.push(edit(&format!("Do as in {held_out}"), MD, "add", "Be brief.\n"));
    edits.push(edit("Do nothing", TOML, "text", "rounds = 1\n"));
    edits.push(edit("Mend half", TOML, "text", &half()));
    edits.push(edit("Do nothing again", TOML, "text", "rounds = 2\n"));
    edits.push(edit("Mend the rest", TOML, "text", REFERENCE));
    let place = place(&edits, edits.len() + 20);
    let learned = format!("House rule: be brief.\nSee {held_out} for more.\n");
    place.write("project/.sprag/learnings.md", &learned);
    let ran = place.sprag(&[
        "simulate",
        "--batches",
        "4",
        "--experiments",
        "200",
        "--json",
        "--out",
        "../out",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let state = state(&place);
    let named = |name: &str| {
        let mut found = state.experiments.iter().filter(|one| one.candidate.title == name);
        found.next().unwrap_or_else(|| panic!("{name} was not tried"))
    };
    let passed: Vec<String> = cheats
        .iter()
        .enumerate()
        .filter_map(|(at, (path, text, what))| {
            let experiment = named(&format!("Cheat {at}"));
            let (verdict, reason) = verdict(experiment);
            let caught = verdict == Verdict::Invalid && reason.contains(what) && experiment.task_runs == 0;
            (!caught).then(|| format!("{path}: {}: {verdict}: {reason}", &text[..text.len().min(80)]))
        })
        .collect();
    assert!(passed.is_empty(), "{passed:#?}");
    let (tells, reason) = verdict(named("(left out: it names a held-out task)"));
    assert_eq!((tells, reason), (Verdict::Invalid, "says the name of a held-out task"));
    let (many, reason) = verdict(named("Many files"));
    assert_eq!((many, reason.contains("files")), (Verdict::Invalid, true), "{reason}");
    for harmful in ["Do nothing", "Do nothing again"] {
        assert_eq!(verdict(named(harmful)).0, Verdict::Rejected, "{harmful}");
    }
    for good in ["Mend half", "Mend the rest"] {
        let (verdict, reason) = verdict(named(good));
        assert_eq!(verdict, Verdict::Accepted, "{good}: {reason}");
    }
    assert_eq!(state.incumbent.get(TOML), Some(REFERENCE));

    // A held-out task is named to nobody, not by a title, and not by a person's file.
    let brief = |turn: usize| fs_err::read_to_string(place.path(&format!("seen/{turn}"))).unwrap();
    assert!(brief(0).contains("House rule: be brief."), "{}", brief(0));
    assert!((0..edits.len()).all(|turn| !brief(turn).contains(&held_out)));
    let learned = fs_err::read_to_string(place.path("out/repo/.sprag/learnings.md")).unwrap();
    assert!(
        learned.starts_with("House rule: be brief.\n") && learned.contains("**Mend the rest**"),
        "{learned}"
    );
    assert_eq!(
        learned.matches(&held_out).count(),
        1,
        "only in the person's own line: {learned}"
    );
}
