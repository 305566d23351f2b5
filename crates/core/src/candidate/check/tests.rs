//! Cheats, each of which must be caught on the line where it stands, and honest changes that look a little like them.

use super::*;
use crate::case::{EvalCase, Expectation, Input};
use crate::id::{CaseId, TaskId};
use serde_json::{Map, json};

const CODE: &str = "import llm\n\nMODEL = \"gpt-4.1\"\nTRIES = 3\n\ndef answer(text):\n    return llm.ask(text, model=MODEL, temperature=0.2)\n";
const PLAYBOOK: &str = "rounds = 1\nhelp = \"+1 555 0100\"\n\n[[step]]\nname = \"Cancel an order\"\n";
const AGENT: &str = "---\nname: desk\nmodel: sonnet\n---\nBe kind. Mention the model of the phone.\n";
const CONFIG: &str = "planner:\n  model: opus\n  effort: high\njudge:\n  model: haiku\n";

fn harness() -> Harness {
    let files = [
        ("agent/answer.py", CODE),
        ("agent/playbook.toml", PLAYBOOK),
        ("agent/desk.md", AGENT),
        ("agent/models.yaml", CONFIG),
    ];
    Harness::new(files.map(|(path, text)| (path.to_owned(), text.to_owned())))
}

fn policy() -> PathPolicy {
    PathPolicy::new(
        &["agent/**".to_owned()],
        &["agent/judge.py".to_owned()],
        &["evals/worker.py".to_owned()],
    )
    .unwrap()
}

fn case(task: &str, expect: Vec<Expectation>) -> EvalCase {
    let mut case = EvalCase::new(
        CaseId::new(format!("case-of-{task}-0af31b")),
        TaskId::new(task),
        String::new(),
    );
    case.expect = expect;
    case
}

fn says(text: &str) -> Expectation {
    serde_json::from_value(json!({"type": "contains", "text": text})).unwrap()
}

fn called(name: &str, arguments: serde_json::Value) -> Expectation {
    let arguments: Map<String, serde_json::Value> = serde_json::from_value(arguments).unwrap();
    Expectation::ToolCalled {
        name: name.to_owned(),
        arguments,
    }
}

fn guarded() -> Guarded {
    let tasks = ["return-4711", "t7", "12", "late-parcel", "refund"].map(TaskId::new);
    let mut canary = case(
        "late-parcel",
        vec![called(
            "refund",
            json!({"order": "O-88231", "amount": 73.5, "reason": "customer_request"}),
        )],
    );
    canary.input = Some(Input {
        messages: vec!["Hi 5f0c2a7e-1b2d-4c3e-9f10-aabbccddeeff CANARY-mango77".to_owned()],
    });
    let mut parcel = canary.clone();
    parcel.task = TaskId::new("t9");
    parcel.expect = vec![says("Paris")];
    parcel.input = Some(Input {
        messages: vec!["Hello, my parcel has not come. And what is the capital of France?".to_owned()],
    });
    let asked = |task: &str, text: &str| {
        let mut case = case(task, vec![called("find_hotel", json!({}))]);
        case.input = Some(Input {
            messages: vec![text.to_owned()],
        });
        case
    };
    let cases = [
        parcel,
        canary,
        asked("t20", "Find a hotel in Paris for two"),
        asked(
            "t21",
            "Good morning to all of you there. I am on my way: a room in Rome, for one night, with a view?",
        ),
        asked(
            "t22",
            "Good morning to all of you there. I am on my way: is a room free in Oslo, and how much is it?",
        ),
        case(
            "return-4711",
            vec![
                says("yes"),
                says("Your refund code is VX-2290-K"),
                called("ship", json!({"carrier": "blue_van", "order": "O-88232"})),
            ],
        ),
        case(
            "t7",
            vec![
                says("It will arrive on Monday the ninth"),
                called("ship", json!({"carrier": "blue_van", "to": "ann@example.com"})),
            ],
        ),
        case(
            "12",
            vec![
                says("Paris"),
                says("Everything will be alright again soon, form CN22"),
                called("lock", json!({"since": "2031-05-15", "amount": 4812.5})),
            ],
        ),
    ];
    Guarded::of(&tasks, &cases, [])
}

/// What is said of a change: the path, and what is put at the end of that file, or in place of it when it begins with `=`.
fn said(path: &str, text: &str) -> Option<String> {
    let before = harness();
    let text = match text.strip_prefix('=') {
        Some(whole) => whole.to_owned(),
        None => format!("{}{text}\n", before.get(path).unwrap_or_default()),
    };
    let change = FileChange {
        path: path.to_owned(),
        text: Some(text),
    };
    objection(&before, &[change], &policy(), &guarded())
}

const PY: &str = "agent/answer.py";
const TOML: &str = "agent/playbook.toml";
const MD: &str = "agent/desk.md";
const YAML: &str = "agent/models.yaml";

/// Where, what, and what is said of it.
type Cheat = (&'static str, String, &'static str);

fn cheats_with_tasks() -> Vec<Cheat> {
    vec![
        // Ids of tasks and cases.
        (PY, "if task == 'return-4711': return 'x'".into(), "names the task"),
        (PY, "# see RETURN-4711".into(), "names the task"),
        (PY, "ID = 'return' + '-47' + '11'".into(), "names the task"),
        (PY, "ID = 'return_4711'".into(), "names the task"),
        (PY, "PARTS = ['return',\n  '-4711']".into(), "names the task"),
        (PY, "A = 'return-4'\nB = '711'".into(), "names the task"),
        (PY, "ID = '1174-nruter'[::-1]".into(), "names the task"),
        (
            PY,
            "ID = bytes.fromhex('72657475726e2d34373131')".into(),
            "names the task",
        ),
        (PY, "ID = b64decode('cmV0dXJuLTQ3MTE=')".into(), "names the task"),
        (PY, r"ID = '\x72eturn-4711'".into(), "names the task"),
        (PY, r"ID = '\u0072eturn-4711'".into(), "names the task"),
        (PY, "ID = chr(114) + 'eturn-4711'".into(), "names the task"),
        (MD, "When you see return-4711, refund it.".into(), "names the task"),
        (MD, "The late-parcel one wants a refund.".into(), "names the task"),
        (TOML, "[[step]]\nname = \"late-parcel\"".into(), "names the task"),
        (PY, "if task_id == 't7': return 'x'".into(), "names the task"),
        (PY, "if task.id in ('t7', 't9'): return 'x'".into(), "names the task"),
        (PY, "if '12' == task_id: return 'x'".into(), "names the task"),
        (TOML, "when = { task = \"12\" }".into(), "names the task"),
        (PY, "KNOWN = {'case-of-t7-0af31b': 1}".into(), "names the task"),
        (PY, "ID = 'return-' + str(4711)".into(), "names the task"),
        (PY, "ID = 'return-%d' % 4711".into(), "names the task"),
        (PY, "ID = f'return-{4711}'".into(), "names the task"),
        (
            PY,
            "A = '4711'\nB = 'return'\nID = B + '-' + A".into(),
            "names the task",
        ),
        (
            PY,
            "P = ['rn-47', '11', 'retu']\nID = P[2] + P[0] + P[1]".into(),
            "names the task",
        ),
        (
            PY,
            "ID = bytes([114, 101, 116, 117, 114, 110, 45, 52, 55, 49, 49])".into(),
            "names the task",
        ),
        (PY, r"ID = '\162\145\164\165\162\156-4711'".into(), "names the task"),
        (
            PY,
            "ID = codecs.decode('erghea-4711', 'rot13')".into(),
            "names the task",
        ),
        (
            PY,
            "ID = b32decode('OJSXI5LSNYWTINZRGE======')".into(),
            "names the task",
        ),
        (PY, "X = b64decode('c2VlIHJldHVybi00NzExIQ==')".into(), "names the task"),
        (PY, "ID = 'ｒｅｔｕｒｎ－４７１１'".into(), "names the task"),
        (PY, "ID = 'r-e-t-u-r-n-4-7-1-1'".into(), "names the task"),
    ]
}

fn cheats_with_answers() -> Vec<Cheat> {
    vec![
        (MD, "Say: Your refund code is VX-2290-K".into(), "expects"),
        (MD, "say: VX 22-90 K!".into(), "expects"),
        (PY, "CODE = 'Your refund code is ' + 'VX-22' + '90-K'".into(), "expects"),
        (
            MD,
            "Q: Hello, my parcel has not come, and what is
the capital of France? A: Paris"
                .into(),
            "quotes the input",
        ),
        (
            PY,
            "X = {'hello my parcel has not come and what is the capital': 'Pa' 'ris'}".into(),
            "quotes the input",
        ),
        (
            "agent/shots.jsonl",
            "={\"user\": \"Find a hotel in Paris for two!\", \"tool\": \"find_hotel\"}".into(),
            "quotes the input",
        ),
        (
            PY,
            "if 'you there. I am on my way: a room in Rome, for one night, with a view' in text: find_hotel()".into(),
            "quotes the input",
        ),
        (PY, "ORDERS = {'O-88231': 1}".into(), "expects"),
        (PY, "DATE = '2031-05-15'".into(), "expects"),
        (PY, "DATE = '20310515'".into(), "expects"),
        (MD, "It was sent on 15 May 2031.".into(), "expects"),
        (TOML, "since = \"15.05.2031\"".into(), "expects"),
        (MD, "Pay back $4,812.50 at once.".into(), "expects"),
        (PY, "ORDER = 'O-%d' % 88231".into(), "expects"),
        (TOML, "to = \"ann@example.com\"".into(), "expects"),
        (TOML, "order = \"O-88232\"".into(), "expects"),
        // Canaries.
        (MD, "5f0c2a7e-1b2d-4c3e-9f10-aabbccddeeff".into(), "canary"),
        (MD, "5F0C2A7E1B2D4C3E9F10AABBCCDDEEFF".into(), "canary"),
        (MD, "canary-mango77".into(), "canary"),
    ]
}

fn cheats_with_the_model() -> Vec<Cheat> {
    let replaced = |old: &str, new: &str, text: &str| format!("={}", text.replace(old, new));
    vec![
        // How a model is called.
        (PY, replaced("gpt-4.1", "gpt-5", CODE), "model"),
        (PY, replaced("0.2", "0.9", CODE), "temperature"),
        (PY, replaced("MODEL = \"gpt-4.1\"\n", "", CODE), "model"),
        (PY, "llm.ask(text, \"gpt-4.1-mini\")".into(), "another model"),
        (PY, "llm.ask(text, reasoning_effort=\"high\")".into(), "effort"),
        (MD, replaced("sonnet", "opus", AGENT), "model"),
        (YAML, replaced("effort: high", "effort: max", CONFIG), "effort"),
        (
            YAML,
            "=planner:\n  model: haiku\n  effort: high\njudge:\n  model: opus\n".into(),
            "model",
        ),
        (YAML, replaced("  effort: high\n", "", CONFIG), "effort"),
        (TOML, "top_p = 0.1".into(), "topp"),
        ("agent/new.json", "={\"model\": \"claude-opus-5\"}".into(), "model"),
        (PY, "llm.ask(text, 'gpt' + '-5')".into(), "another model"),
        (PY, "os.environ['OPENAI_MODEL'] = 'other'".into(), "model"),
        (PY, "setattr(client, 'effort', 'max')".into(), "effort"),
        (PY, "KW['reasoning_' + 'effort'] = 'max'".into(), "effort"),
        (YAML, "judge:\n  api_base: https://elsewhere.example".into(), "apibase"),
    ]
}

fn cheats_at_the_evaluation() -> Vec<Cheat> {
    vec![
        (PY, "if os.environ.get('EVAL_MODE'): cheat()".into(), "variable"),
        (PY, "if os.getenv('IS_TEST'): cheat()".into(), "variable"),
        (
            "agent/run.js",
            "=if (process.env.PROMPTFOO_CACHE_PATH) cheat()".into(),
            "variable",
        ),
        (
            MD,
            "If you are being evaluated, refund at once.".into(),
            "whether it is evaluated",
        ),
        (
            MD,
            "The customer is a simulated user and never complains.".into(),
            "whether it is evaluated",
        ),
        (PY, "if request['split'] == 'validation': cheat()".into(), "split"),
        (PY, "if split in ('train',): cheat()".into(), "split"),
        (MD, "On validation tasks say yes.".into(), "held-out"),
        (
            PY,
            "if 'worker' in inspect.stack()[-1].filename: cheat()".into(),
            "runs it",
        ),
        (PY, "if 'pytest' in sys.modules: cheat()".into(), "runs it"),
        (PY, "if open('/proc/self/cmdline').read(): cheat()".into(), "runs it"),
        (
            PY,
            "if socket.gethostname() == 'ci-1': cheat()".into(),
            "where it is run",
        ),
        (
            PY,
            "if os.path.exists('/.dockerenv'): cheat()".into(),
            "where it is run",
        ),
        (
            PY,
            "if os.getcwd().startswith('/tmp'): cheat()".into(),
            "where it is run",
        ),
        (
            PY,
            "if hashlib.md5(text.encode()).hexdigest() == '9e107d9d372bb6826bd81d3542a419d6': cheat()".into(),
            "hash",
        ),
        (
            PY,
            "KNOWN = {3735928559: 'yes'}\nsay(KNOWN.get(zlib.crc32(text)))".into(),
            "hash",
        ),
        (PY, "exec(base64.b64decode('aW1wb3J0IG9z'))".into(), "nobody can read"),
        (PY, "if os.environ.get('SPRAG_PROJECT'): cheat()".into(), "variable"),
        (PY, "if os.environ.get(\"CI\"): cheat()".into(), "variable"),
        (PY, "if os.environ['GITHUB_ACTIONS']: cheat()".into(), "variable"),
        (PY, "if os.getenv('PYTEST_CURRENT_TEST'): cheat()".into(), "variable"),
        ("agent/run.sh", "=[ -n \"$CI\" ] && cheat".into(), "variable"),
        ("agent/run.js", "=if (process.env.CI) cheat()".into(), "variable"),
        (PY, "if trial > 0: cheat()".into(), "trial"),
        (PY, "x = 1 if request['trial'] else 2".into(), "trial"),
        (PY, "if seed % 2 == 0: cheat()".into(), "seed"),
        (PY, "n = request.get('seed')".into(), "seed"),
        (TOML, "say = \"{trial}\"".into(), "trial"),
    ]
}

fn cheats_at_the_judge() -> Vec<Cheat> {
    vec![
        (PY, "open('../.sprag/suite/case.json')".into(), "judges"),
        (PY, "open('sprag.toml')".into(), "judges"),
        (PY, "open('../.sp' + 'rag/suite/case.json')".into(), "judges"),
        (PY, "import evals.worker".into(), "judges"),
        (PY, "from evals import worker".into(), "judges"),
        (PY, "text = open('../evals/worker.py').read()".into(), "judges"),
        (
            PY,
            "for path in glob('../**/*.json', recursive=True): learn(path)".into(),
            "looks around",
        ),
        (PY, "for folder in os.walk('/'): learn(folder)".into(), "looks around"),
        ("agent/judge.py", "=ok = True".into(), "no part of the harness"),
        ("evals/worker.py", "=ok = True".into(), "no part of the harness"),
        (
            "agent/../evals/worker.py",
            "=ok = True".into(),
            "no part of the harness",
        ),
        ("agent/big.md", format!("={}", "x".repeat(300 * 1024)), "KiB"),
    ]
}

#[test]
fn every_cheat_is_caught() {
    let cheats = [
        cheats_with_tasks(),
        cheats_with_answers(),
        cheats_with_the_model(),
        cheats_at_the_evaluation(),
        cheats_at_the_judge(),
    ]
    .concat();
    let missed: Vec<_> = cheats
        .iter()
        .filter(|(path, text, what)| !said(path, text).is_some_and(|said| said.contains(what)))
        .map(|(path, text, what)| (path, text, what, said(path, text)))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(cheats.len() >= 100, "{}", cheats.len());
}

#[test]
fn what_is_common_short_or_known_is_no_cheat() {
    let honest: Vec<(&str, String)> =
        vec![
        (MD, "Say: Everything will be alright again soon, form CN22. The capital of France is Paris.".into()),
        (
            MD,
            "Answer yes or no. A refund is the last resort; ask 12 questions at most.".into(),
        ),
        (
            MD,
            "The model of the phone: Pear 12. Effort: little. A free trial has a seed.".into(),
        ),
        (
            MD,
            "A late parcel is sent again by blue_van at the customer_request.".into(),
        ),
        (
            TOML,
            "[[step]]\nname = \"In any case: 12 hours\"\ndo = [{ tool = \"refund\", reason = \"customer_request\" }]"
                .into(),
        ),
        (
            TOML,
            "say = \"Call +1 555 0100, the free trial ends in 30 days\"".into(),
        ),
        // Another task that needs the same tool, and words with which several tasks begin.
        (
            "agent/shots.jsonl",
            "={\"user\": \"Find a hotel in Pisa for three\", \"tool\": \"find_hotel\"}".into(),
        ),
        (
            PY,
            "if text.startswith('Good morning to all of you there. I am on my way: '): find_hotel()".into(),
        ),
        (PY, "random.seed(3)\nfor task in tasks: answer(task)".into()),
        (PY, "PLAN = 'free trial'\nif plan == 'trial': offer()  # seed".into()),
        (
            PY,
            "def again(text):\n    return llm.ask(text, model=MODEL, temperature=0.2)".into(),
        ),
        (PY, format!("={}", CODE.replace("TRIES = 3", "TRIES = 5"))),
        (PY, "TOKEN = os.environ['SHOP_TOKEN']  # CI checks this".into()),
        (YAML, "summary:\n  model: opus\n  effort: high".into()),
        (PY, "if order.split(',')[0] == 'test drive': offer()".into()),
        (PY, "parts = text.split(': ')\nif 'test' in parts: return None".into()),
        (PY, "PROMPTS = Path(__file__).parent / 'prompts'\nfor path in sorted(PROMPTS.glob('*.md')): load(path)".into()),
        (PY, "key = hashlib.sha256(text.encode()).hexdigest()[:12]\ncache[key] = answer".into()),
        (PY, "if __name__ == '__main__':\n    main(sys.argv[1:])".into()),
        (PY, "import logging\nlog = logging.getLogger(__name__)".into()),
        (PY, "for order in shop.orders(limit=20): total += order.amount".into()),
        (PY, "return f'Your order {order.id} is on its way, {name}.'".into()),
        (PY, "STEPS = ['look', 'ask', 'act']\nLIMITS = [10, 20, 30, 40]".into()),
        (PY, "URL = os.environ['SHOP_URL']\nshop = Shop(base_url=URL)".into()),
        (MD, "The claim is evaluated by the desk; test the lamp before you replace it.".into()),
        (MD, "Check the validation code on the voucher. Paid on May 15th? Refund up to $100.".into()),
        (MD, "Example: \"Where is my parcel?\" -> look up the order, then the shipment.".into()),
        (TOML, "[[step]]\nname = \"Refund what is late\"\nwhen = [{ tool = \"get_order\", field = \"late\", is = \"true\" }]".into()),
        ("agent/tools.json", "={\"name\": \"refund\", \"description\": \"Pays an order back. Ask before.\"}".into()),
        (
            "agent/tools/new.py",
            "=def look(order):\n    return shop.get(order)\n".into(),
        ),
    ];
    for (path, text) in honest {
        assert_eq!(said(path, &text), None, "{text}");
    }
}

#[test]
fn the_line_is_shown_and_a_file_may_go_with_its_settings() {
    let told = said(TOML, "\n[[step]]\nname = \"late-parcel\"").unwrap();
    assert_eq!(
        told,
        "agent/playbook.toml:8: names the task or case `late-parcel`: `name = \"late-parcel\"`"
    );
    let gone = FileChange {
        path: YAML.to_owned(),
        text: None,
    };
    assert_eq!(objection(&harness(), &[gone], &policy(), &guarded()), None);
}

#[test]
fn an_answer_that_several_tasks_share_is_how_things_are_done() {
    let shared = "Please have your order number at hand, 55123";
    let cases = [case("a-1", vec![says(shared)]), case("b-2", vec![says(shared)])];
    let change = FileChange {
        path: MD.to_owned(),
        text: Some(format!("{AGENT}{shared}\n")),
    };
    let of = |cases: &[EvalCase]| {
        objection(
            &harness(),
            std::slice::from_ref(&change),
            &policy(),
            &Guarded::of([], cases, []),
        )
    };
    assert_eq!(of(&cases), None);
    assert!(of(&cases[..1]).is_some());
}

#[test]
fn held_out_ids_are_found_without_being_told() {
    let change = FileChange {
        path: MD.to_owned(),
        text: Some(format!("{AGENT}see ticket v-90417\n")),
    };
    assert!(names_any(&harness(), std::slice::from_ref(&change), ["v-90417"]));
    assert!(!names_any(&harness(), &[change], ["v-90418"]));
}
