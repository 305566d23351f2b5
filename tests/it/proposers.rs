//! Proposers that write: a scripted coding agent and a scripted model change the helpdesk's playbook, and the gate says what of it is kept.

use crate::support::program::{Place, Ran};
use crate::support::{json_body, open_store};
use serde_json::{Value, json};
use sprag::store::Store as _;
use sprag_core::candidate::{Experiment, Verdict};
use sprag_core::machine::{self, State};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

const REFERENCE: &str = include_str!("../fixtures/helpdesk/reference-playbook.toml");

/// A coding agent that gets better: it writes down a task, then throws the playbook away, then mends it.
const AGENT: &str = r##"
mkdir -p "$HOME/seen"
round=$(ls "$HOME/seen" | wc -l)
cat > "$HOME/seen/$round"
env > "$HOME/env"
cmp -s "$1" "$HOME/seen/$round" || exit 9
task=$(sed -n 's/^task \([^:]*\): .*/\1/p' "$1" | head -1)
case $round in
0)  printf '\n[[step]]\nname = "Only for %s"\nwhen = []\ndo = []\n' "$task" >> agent/playbook.toml ;;
1)  sed -i '/^# --- Orders/,$d' agent/playbook.toml
    printf '{"title": "Do nothing", "hypothesis": "Nothing can go wrong then.", "predicted_fixes": [], "risk": "Nothing is done."}' > SPRAG_ANSWER.json ;;
2)  echo "no idea" >&2; exit 4 ;;
*)  cp "$HOME/reference.toml" agent/playbook.toml; mkdir -p evals; echo 1 > evals/verdict.txt
    printf '{"title": "Do it right", "hypothesis": "Steps were missing.", "predicted_fixes": ["%s", "no-such-task"], "risk": "None known."}' "$task" > SPRAG_ANSWER.json ;;
esac
printf '{"type":"result","result":"done","total_cost_usd":0.25}\n'
"##;

fn place(proposer: &str) -> Place {
    let place = Place::with_helpdesk();
    let config = String::from_utf8(place.files("project").remove("sprag.toml").unwrap()).unwrap();
    place.write("project/sprag.toml", &format!("{config}\n{proposer}"));
    place
}

fn simulate(place: &Place, out: &str, more: &[&str]) -> Ran {
    let out = format!("../{out}");
    let simulate = ["simulate", "--experiments", "5", "--json", "--out", &out];
    place.sprag(&[&simulate, more].concat())
}

fn state(place: &Place, out: &str) -> State {
    let store = open_store(&place.path(out));
    machine::replay(store.entries().iter().map(|entry| &entry.event))
        .0
        .unwrap()
}

fn verdict(experiment: &Experiment) -> (Verdict, &str) {
    let (verdict, reason) = experiment.verdict.as_ref().unwrap();
    (*verdict, reason)
}

#[test]
fn of_a_coding_agent_s_changes_the_good_one_is_kept_and_the_others_are_named() {
    let place = place("[proposer]\nkind = \"command\"\ncommand = [\"sh\", \"{project}/../agent.sh\", \"{brief}\"]\n");
    place.write("agent.sh", AGENT);
    place.write("reference.toml", REFERENCE);
    let ran = simulate(&place, "out", &["--batches", "2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let state = state(&place, "out");
    let [cheat, harmful, good, ..] = state.experiments.as_slice() else {
        panic!("{:#?}", state.experiments)
    };
    let (invalid, reason) = verdict(cheat);
    assert_eq!(invalid, Verdict::Invalid, "{reason}");
    assert!(
        reason.contains("agent/playbook.toml:") && reason.contains("Only for"),
        "{reason}"
    );
    assert_eq!(
        (cheat.cluster_cases.as_ref(), cheat.candidate.origin.as_str()),
        (None, "command: sh, $0.2500")
    );
    assert_eq!(verdict(harmful).0, Verdict::Rejected);
    let (accepted, reason) = verdict(good);
    assert_eq!(accepted, Verdict::Accepted, "{reason}");
    assert_eq!(good.candidate.predicted.len(), 1, "only tasks that it was told of");
    assert!(
        good.candidate
            .hypothesis
            .contains("Left out, as no part of the harness: evals/verdict.txt")
    );
    let merged = fs_err::read_to_string(place.path("out/repo/agent/playbook.toml")).unwrap();
    assert_eq!(merged, REFERENCE);
    assert!(!place.path("out/repo/evals/verdict.txt").exists());
    assert!(state.spent.usd >= 0.75, "{:?}", state.spent);

    let told = |round: &str| fs_err::read_to_string(place.path(&format!("seen/{round}"))).unwrap();
    assert!(told("1").contains("invalid: agent/playbook.toml:"), "{}", told("1"));
    assert!(told("2").contains("Do nothing"), "{}", told("2"));
    let environment = fs_err::read_to_string(place.path("env")).unwrap();
    let project = place.path("project");
    assert!(!environment.contains(project.to_str().unwrap()), "{environment}");
    // What was learned comes with the accepted change, in counts, and is written beside the report, too.
    let learned = fs_err::read_to_string(place.path("out/repo/.sprag/learnings.md")).unwrap();
    for expected in [
        "## What helped\n\n- **Do it right**",
        "- **Do nothing**",
        "it broke the rules for changes",
    ] {
        assert!(learned.contains(expected), "{expected} is not in {learned}");
    }
    assert!(!learned.contains("Only for"), "{learned}");
    let beside = fs_err::read_to_string(place.path("out/learnings.md")).unwrap();
    assert!(beside.contains("- **Do it right**"), "{beside}");
    assert_eq!(ran.json()["prediction"]["came_true"], 1, "{ran:?}");

    let held_out = fs_err::read_to_string(place.path("held-out.log")).unwrap_or_default();
    let ids = held_out
        .split(|letter: char| !letter.is_alphanumeric() && letter != '-')
        .filter(|word| word.len() > 6);
    let briefs = ["0", "1", "2"].map(told).concat();
    assert_eq!(
        ids.filter(|id| id.starts_with("validation") && briefs.contains(id))
            .count(),
        0
    );
}

/// What the model calls after so many answers of its own.
fn calls(step: usize, task: &str) -> Value {
    let call = |name: &str, arguments: &str| json!({"name": name, "arguments": arguments});
    let path = json!({"path": "agent/playbook.toml"}).to_string();
    let whole = json!({"path": "agent/playbook.toml", "text": REFERENCE}).to_string();
    let finish = json!({"title": "Do it right", "hypothesis": "Steps were missing.", "predicted_fixes": [task], "risk": "None known."});
    match step {
        0 => json!([
            call("read", &path),
            call("edit", "{\"path\": \"agent/pla"),
            call("shell", "{}")
        ]),
        1 => json!([
            call("delete", &path),
            call("create", &whole),
            call("note", "{\"text\": \"written anew\"}")
        ]),
        2 => json!([call("run", &json!({"task": task}).to_string())]),
        _ => json!([call("finish", &finish.to_string())]),
    }
}

/// A server with the interface of `OpenAI`, behind which a model edits when it has tools, and knows nothing else.
fn server() -> String {
    counting_server().address
}

/// A server that tells of every request.
struct Counting {
    address: String,
    /// The numbers of the requests, from 0.
    requests: Receiver<usize>,
    /// The request whose answer it keeps back.
    silent_at: Arc<AtomicUsize>,
}

fn counting_server() -> Counting {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let (sender, requests) = std::sync::mpsc::channel();
    let silent_at = Arc::new(AtomicUsize::new(usize::MAX));
    let stop = silent_at.clone();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for (at, stream) in listener.incoming().enumerate() {
            if at == stop.load(Ordering::SeqCst) {
                silent.push(stream);
            } else {
                std::thread::spawn(move || serve(stream.unwrap()));
            }
            // Nobody may be listening.
            sender.send(at).ok();
        }
    });
    Counting {
        address,
        requests,
        silent_at,
    }
}

fn serve(mut stream: TcpStream) {
    let body = json_body(&stream);
    let messages = body["messages"].as_array().unwrap();
    let step = messages.iter().filter(|message| message["role"] == "assistant").count();
    let brief = messages[1]["content"].as_str().unwrap();
    let task = brief
        .lines()
        .find_map(|line| line.strip_prefix("task ")?.split(':').next());
    let (delta, finish) = if body.get("tools").is_some() && body["model"] != "talks" {
        let called = calls(if body["model"] == "reads" { 0 } else { step }, task.unwrap());
        let numbered = called.as_array().unwrap().iter().enumerate();
        let calls: Vec<Value> = numbered
            .map(|(at, call)| json!({"index": at, "id": format!("c{step}-{at}"), "type": "function", "function": call}))
            .collect();
        (json!({"tool_calls": calls}), "tool_calls")
    } else {
        (json!({"content": "I do not know."}), "stop")
    };
    let events = [
        json!({"choices": [{"index": 0, "delta": delta}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}),
    ];
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let events = format!("{events}data: [DONE]\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{events}", events.len()).unwrap();
}

#[test]
fn a_model_s_edit_passes_the_gate_and_its_tape_plays_it_again() {
    let model = "[model]\nprovider = \"openai-compatible\"\nname = \"m\"\nprices = { input = 1, output = 10 }\n";
    let proposer = format!(
        "{model}base_url = \"{}\"\n[proposer]\nkind = \"model\"\nsteps = 10\n",
        server()
    );
    let place = place(&proposer);
    let ran = simulate(&place, "out", &["--batches", "2", "--record", "../tape"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let first = state(&place, "out");
    let experiment = first.experiments.first().unwrap_or_else(|| panic!("{ran:?}"));
    let (accepted, reason) = verdict(experiment);
    assert_eq!(accepted, Verdict::Accepted, "{reason}");
    assert_eq!(experiment.candidate.origin, "model: m, 4 steps, 1 runs");
    assert_eq!(experiment.candidate.predicted.len(), 1);
    assert_eq!(first.incumbent.get("agent/playbook.toml"), Some(REFERENCE));
    let usd = first.spent.usd;
    assert!(usd >= 4.0 * 0.002 - 1e-9, "each answer is paid: {usd}");

    // What was recorded plays the same proposal; it costs nothing then.
    let again = simulate(&place, "again", &["--batches", "2", "--replay", "../tape"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let replayed = state(&place, "again");
    assert_eq!(replayed.experiments[0].candidate, experiment.candidate);
    assert!(replayed.spent.usd < usd);
}

#[test]
fn a_proposal_killed_between_two_answers_asks_for_no_answer_twice_and_ends_the_same() {
    let server = counting_server();
    let playing = || {
        let model = "[model]\nprovider = \"openai-compatible\"\nname = \"m\"\nprices = { input = 1, output = 10 }\n";
        place(&format!(
            "{model}base_url = \"{}\"\n[proposer]\nkind = \"model\"\nsteps = 10\n",
            server.address
        ))
    };
    let end = |ran: &Ran| {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()["ledger_head"].clone()
    };
    let undisturbed = end(&simulate(&playing(), "out", &["--batches", "1"]));
    let all = server.requests.try_iter().count();

    // The last request is one of the proposer, which has asked several times by then.
    let last = 2 * all - 1;
    server.silent_at.store(last, Ordering::SeqCst);
    let place = playing();
    let arguments = [
        "simulate",
        "--experiments",
        "5",
        "--json",
        "--batches",
        "1",
        "--out",
        "../out",
    ];
    let mut child = place.sprag_command(&arguments).spawn().unwrap();
    assert!(server.requests.iter().any(|at| at == last));
    child.kill().unwrap();
    child.wait().unwrap();
    let again = simulate(&place, "out", &["--batches", "1"]);
    assert_eq!(
        end(&again),
        undisturbed,
        "what was paid before the kill is in the ledger, too"
    );
    assert_eq!(
        server.requests.try_iter().count(),
        1,
        "only the answer under way is asked for again"
    );
    assert!(!place.path("out/.sprag/asked.jsonl").exists());
}

#[test]
fn a_model_that_talks_or_never_ends_proposes_nothing_and_the_reason_is_told() {
    let address = server();
    for (name, reason) in [
        ("talks", "the model proposes nothing: I do not know."),
        ("reads", "the model did not finish within 3 steps"),
    ] {
        let model = format!("[model]\nprovider = \"openai-compatible\"\nname = \"{name}\"\nbase_url = \"{address}\"\n");
        let place = place(&format!("{model}[proposer]\nkind = \"model\"\nsteps = 3\n"));
        let ran = simulate(&place, "out", &["--batches", "1"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(state(&place, "out").experiments.len(), 0);
        let told = serde_json::to_string(open_store(&place.path("out")).entries()).unwrap();
        assert!(told.contains(reason), "{told}");
    }
}

#[test]
fn without_a_model_to_ask_nothing_is_proposed_and_the_reason_is_told() {
    let proposer =
        "[model]\nprovider = \"openai\"\nname = \"m\"\nkey_env = \"NO_SUCH_KEY\"\n[proposer]\nkind = \"model\"\n";
    let place = place(proposer);
    let ran = simulate(&place, "out", &["--batches", "2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(state(&place, "out").experiments.len(), 0);
    let ledger = open_store(&place.path("out"));
    let told = serde_json::to_string(ledger.entries()).unwrap();
    assert!(told.contains("there is no model to ask"));
}
