//! Tests of the whole file: defaults, every key, every mistake, and that schema and docs name the same keys as the parser.

use super::*;
use crate::model::{Provider, Wire};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../../../../schema/sprag.schema.json");
const DOCS: &str = include_str!("../../../../docs/config.md");

/// A file that reaches every table.
const FULL: &str = r#"
[harness]
paths = ["agent/**", "prompts/*.md"]
protect = ["agent/secrets/**"]

[runner]
kind = "command"
command = ["./run", "{task}", "{out}"]
tasks = { train = ["a", "b"], validation = ["c"] }
report = "junit"
env = ["MODEL_KEY"]
concurrency = 4
timeout = "2m"
trials = 3
retries = 0

[runner.model]
provider = "openai"
names = ["gpt-5.4", "gpt-5.4-mini"]
base_url = "https://models.example.com/v1"
key_env = "AGENT_KEY"
max_usd = 0.5
max_tokens = 100_000
max_requests = 20
max_output_tokens = 4000
timeout = "1m"
prices = { input = 1, cached_input = 0.1, output = 2.5 }

[sandbox]
tier = "b"
read = ["~/models"]
memory_mib = 512
disk_mib = 64
processes = 32

[signals]
issue_labels = ["bug"]
artifacts = ["agent-traces*"]
workflows = ["nightly.yml"]
[signals.mapping]
messages = "/log"
task = "/case/id"
passed = "/ok"
tool_name = "/fn"

[model]
provider = "openai-compatible"
name = "some/model"
base_url = "http://127.0.0.1:8080/v1/"
api = "responses"
key_env = "TEAM_KEY"
embeddings = "some/embeddings"
concurrency = 2
tokens_per_minute = 8000
timeout = "30s"
temperature = 0
max_input_tokens = 2000
max_output_tokens = 300
prices = { input = 1, cached_input = 0.1, output = 2.5, embeddings = 0.02 }

[review]
clusters = "human"

[traffic]
batch_size = 5

[gate]
mode = "strict"
regression_threshold = 1

[budget]
experiments = 3
task_runs = 1_000
usd = 0
wall = "500ms"

[redact]
patterns = ["EMP-[0-9]{6}"]
keep = ["help@example.org"]

[[recipe]]
name = "add the missing step"
mechanisms = ["missing_action"]
file = "agent/workflow.toml"
op = "append"
at = "step"
positions = ["end", "start"]
call = { tool = "{tool}", args = "{arguments}" }
reference = "{{tool}.{field}}"
[recipe.entry]
name = "{title}"
when = "{conditions}"
do = "{calls}"
[recipe.condition]
line = { tool = "{tool}", has = "{line}" }
field = { tool = "{tool}", field = "{field}", is = "{value}" }
[recipe.observe]
at = "diagnose"
entry = { tool = "{tool}", args = "{arguments}" }
[recipe.observe.arguments]
app_name = "messaging"

[[recipe]]
name = "go through it twice"
mechanisms = ["*"]
file = "agent/workflow.toml"
op = "set"
at = "rounds"
values = [2, 3]

[[recipe]]
name = "add a rule"
mechanisms = ["*"]
file = "prompts/system.md"
op = "append"
at = "Rules"
entry = "{should}"

[[recipe]]
name = "how many"
mechanisms = ["*"]
file = "agent/settings.toml"
op = "knob"
at = "examples"
type = "int"
range = [0, 16]

[[recipe]]
name = "which form"
mechanisms = ["*"]
file = "agent/settings.toml"
op = "knob"
at = "form"
type = "choice"
choices = ["free", "schema"]

[[recipe]]
name = "show what passed"
mechanisms = ["*"]
file = "agent/examples.jsonl"
op = "few_shot"
entry = { user = "{input}", do = "{calls}" }
call = { name = "{tool}", args = "{arguments}" }
most = 12
length = 300
"#;

fn problems(text: &str) -> Vec<Problem> {
    parse(text).expect_err("the text has mistakes")
}

fn rendered(text: &str) -> String {
    render_problems("sprag.toml", text, &problems(text))
}

#[test]
fn every_key_has_a_default() {
    let config = parse("").expect("an empty file is right");
    assert_eq!(config.harness.paths, ["agent/**"]);
    assert_eq!(config.runner.command, ["python3", "evals/worker.py"]);
    assert_eq!(
        (
            config.runner.concurrency,
            config.runner.timeout_ms,
            config.runner.trials,
            config.runner.retries
        ),
        (2, 120_000, 1, 2)
    );
    assert_eq!(
        config.gate,
        GateConfig {
            mode: GateMode::Efficient,
            regression_threshold: 0.80,
            prefer: Preference::Balance,
            alpha: 0.05,
            margin: 0.0,
            leakage: 1.0
        }
    );
    assert_eq!(
        config.budget,
        BudgetConfig {
            experiments: 6,
            task_runs: 2000,
            usd: 20.0,
            wall_ms: 10_800_000
        }
    );
    assert_eq!(config.recipes, []);
}

#[test]
fn every_key_is_read() {
    let config = parse(FULL).expect("the file is right");
    assert_eq!(config.harness.protect, ["agent/secrets/**"]);
    assert_eq!(
        (config.runner.kind, config.runner.report),
        (RunnerKind::Command, ReportKind::Junit)
    );
    assert_eq!(
        config.runner.tasks,
        CommandTasks {
            train: vec!["a".into(), "b".into()],
            validation: vec!["c".into()]
        }
    );
    assert_eq!(
        (
            config.runner.concurrency,
            config.runner.timeout_ms,
            config.runner.trials,
            config.runner.retries
        ),
        (4, 120_000, 3, 0)
    );
    assert_eq!(config.runner.env, ["MODEL_KEY"]);
    assert_eq!(config.signals.workflows, ["nightly.yml"]);
    let mapping = config.signals.mapping.as_ref().expect("a mapping");
    assert_eq!(
        (mapping.messages.as_str(), mapping.tool_name.as_deref()),
        ("/log", Some("/fn"))
    );
    assert_eq!(config.traffic.batch_size, 5);
    let model = config.model.as_ref().expect("a model");
    assert_eq!(
        (model.provider, model.wire, model.base_url.as_deref()),
        (
            Provider::OpenaiCompatible,
            Wire::Responses,
            Some("http://127.0.0.1:8080/v1")
        )
    );
    assert_eq!(
        (
            model.concurrency,
            model.tokens_per_minute,
            model.timeout_ms,
            model.max_output_tokens
        ),
        (2, Some(8000), 30_000, 300)
    );
    assert_eq!(
        (model.price.map(|price| price.output), model.embeddings_price),
        (Some(2.5), Some(0.02))
    );
    assert_eq!(
        config.budget,
        BudgetConfig {
            experiments: 3,
            task_runs: 1000,
            usd: 0.0,
            wall_ms: 500
        }
    );
    let [add, set, rule, number, form, examples] = config.recipes.as_slice() else {
        panic!("six recipes")
    };
    assert_eq!(
        serde_json::to_string(&add.entry).expect("JSON"),
        r#"{"name":"{title}","when":"{conditions}","do":"{calls}"}"#,
        "the order of the keys is kept"
    );
    assert_eq!(add.positions, [Position::End, Position::Start]);
    assert_eq!(
        add.condition.field,
        Some(json!({"tool": "{tool}", "field": "{field}", "is": "{value}"}))
    );
    assert_eq!(
        add.observe.as_ref().expect("observe").arguments["app_name"],
        json!("messaging")
    );
    assert_eq!((set.op, set.values.clone()), (RecipeOp::Set, vec![json!(2), json!(3)]));
    assert_eq!(
        (rule.entry.clone(), rule.positions.clone()),
        (json!("{should}"), vec![Position::End])
    );
    assert_eq!(number.knob, Some(Knob::Int { least: 0, most: 16 }));
    assert_eq!(form.knob, Some(Knob::Choice(vec![json!("free"), json!("schema")])));
    assert_eq!(examples.few_shot, Some(FewShot { most: 12, length: 300 }));
    assert_eq!((add.knob.is_some(), add.few_shot), (false, None));
}

#[test]
fn three_mistakes_are_all_named_with_line_and_fix() {
    insta::assert_snapshot!(rendered("[runner]\nconcurency = 4\ntimeout = \"2 parsecs\"\n\n[gate]\nregression_threshold = 1.5\n"), @r#"
    sprag.toml:2: runner.concurency is not a key of [runner]
      2 | concurency = 4
      fix: did you mean `concurrency`?

    sprag.toml:3: runner.timeout is "2 parsecs", which is not a time
      3 | timeout = "2 parsecs"
      fix: write a time such as "500ms", "120s", "2m" or "3h"

    sprag.toml:6: gate.regression_threshold is 1.5, which is not a number from 0 to 1, such as 0.80
      6 | regression_threshold = 1.5
      fix: write a number from 0 to 1, such as 0.80
    "#);
}

#[test]
fn broken_toml_names_its_line() {
    let found = problems("[gate]\nmode = \"strict\n\n[runner]\n");
    assert_eq!((found[0].line, found[0].key.as_str()), (2, ""));
    assert!(found[0].what.starts_with("this is not TOML: "), "{}", found[0].what);
    assert_eq!(problems("a = 1\na = 2\n")[0].line, 2, "a doubled key");
}

/// Each mistake alone in its file: the line, the key, and a part of what is said.
#[test]
fn each_mistake_is_found_at_its_line() {
    let recipe =
        |lines: &str| format!("[[recipe]]\nname = \"r\"\nmechanisms = [\"*\"]\nfile = \"agent/a.toml\"\n{lines}\n");
    let set = "op = \"set\"\nat = \"x\"\nvalues = [1]\n";
    let cases: Vec<(String, usize, &str, &str)> = vec![
        ("[harnes]\npaths = []".into(), 1, "harnes", "did you mean `harness`?"),
        ("top = 1".into(), 1, "top", "take it out"),
        ("runner = 3".into(), 1, "runner", "is a whole number, but a table is needed"),
        ("[harness]\npaths = \"agent\"".into(), 2, "harness.paths", "is a text, but a list is needed"),
        ("[harness]\npaths = []".into(), 2, "harness.paths", "is an empty list"),
        ("[harness]\npaths = [\n  \"agent/**\",\n  \"agent/[\",\n]".into(), 4, "harness.paths", "is not a glob"),
        ("[runner]\ncommand = []".into(), 2, "runner.command", "is an empty list"),
        ("[runner]\ncommand = [\"\"]".into(), 2, "runner.command", "is empty"),
        ("[runner]\nkind = \"comand\"".into(), 2, "runner.kind", "did you mean \"command\"?"),
        ("[runner]\nconcurrency = 0".into(), 2, "runner.concurrency", "is 0, which is too small"),
        ("[runner]\nconcurrency = -1".into(), 2, "runner.concurrency", "is -1, which is too small"),
        ("[runner]\nconcurrency = 0xFFFFFFFFFF".into(), 2, "runner.concurrency", "too large"),
        ("[runner]\nconcurrency = 2.5".into(), 2, "runner.concurrency", "is a number, but a whole number is needed"),
        ("[runner]\ntimeout = \"0s\"".into(), 2, "runner.timeout", "no time at all"),
        ("[runner]\ntimeout = 120".into(), 2, "runner.timeout", "a time is needed"),
        ("[runner]\ntimeout = \"99999999999999999h\"".into(), 2, "runner.timeout", "not a time"),
        ("[runner]\ntasks = { train = [\"a\"] }".into(), 2, "runner.tasks", "no meaning for kind \"worker\""),
        ("[runner]\nkind = \"command\"\ncommand = [\"x\", \"{task}\"]\ntasks = { train = [\"a\"], validation = [\"b\"] }".into(), 3, "runner.command", "{out}"),
        ("[runner]\nkind = \"command\"\ncommand = [\"x\", \"{task}\", \"{out}\"]".into(), 1, "runner.tasks", "must name train and validation tasks"),
        ("[runner]\nkind = \"command\"\ncommand = [\"x\", \"{task}\", \"{out}\"]\ntasks = { train = [\"a\"], validation = [\"a\"] }".into(), 4, "runner.tasks", "in both splits"),
        ("[signals.mapping]\ntask = \"/id\"".into(), 1, "signals.mapping.messages", "is missing"),
        ("[signals.mapping]\nmessages = \"case.log\"".into(), 2, "signals.mapping.messages", "write \"/case/log\""),
        ("[traffic]\nbatch_size = 0".into(), 2, "traffic.batch_size", "too small"),
        ("[model]\nprovider = \"opnai\"\nname = \"m\"\nbase_url = \"https://m\"".into(), 2, "model.provider", "did you mean \"openai\"?"),
        ("[model]\nname = \"m\"".into(), 1, "model.provider", "is missing"),
        ("[model]\nprovider = \"openai\"".into(), 1, "model.name", "is missing"),
        ("[model]\nprovider = \"openai-compatible\"\nname = \"m\"".into(), 1, "model.base_url", "is missing"),
        ("[model]\nprovider = \"openai\"\nname = \"m\"\nbase_url = \"m.example\"".into(), 4, "model.base_url", "not an address"),
        ("[model]\nprovider = \"openai\"\nname = \"m\"\nkey_env = \"sk-123\"".into(), 4, "model.key_env", "never stands in this file"),
        ("[model]\nprovider = \"anthropic\"\nname = \"m\"\nembeddings = \"e\"".into(), 4, "model.embeddings", "no embeddings"),
        ("[model]\nprovider = \"anthropic\"\nname = \"m\"\napi = \"chat\"".into(), 4, "model.api", "take it out"),
        ("[model]\nprovider = \"openai\"\nname = \"m\"\nprices = { input = 1 }".into(), 4, "model.prices.output", "is missing"),
        ("[model]\nprovider = \"openai\"\nname = \"m\"\ntemperature = 3".into(), 4, "model.temperature", "from 0 to 2"),
        ("[review]\nclusters = true".into(), 2, "review.clusters", "is true or false, but a text is needed"),
        ("[proposer]\nkind = \"model\"".into(), 2, "proposer.kind", "there is no [model]"),
        ("[proposer]\nkind = \"command\"".into(), 1, "proposer.command", "is missing"),
        ("[proposer]\nsteps = 3".into(), 2, "proposer.steps", "for kind \"model\" alone"),
        ("[gate]\nalpha = 0".into(), 2, "gate.alpha", "a number from 0.0001 to 0.5"),
        ("[gate]\nprefer = \"speed\"".into(), 2, "gate.prefer", "not one of the choices"),
        ("[gate]\nmode = \"lenient\"".into(), 2, "gate.mode", "not one of the choices"),
        ("[gate]\nregression_threshold = nan".into(), 2, "gate.regression_threshold", "is nan"),
        ("[budget]\nusd = -0.5".into(), 2, "budget.usd", "0 or more"),
        ("recipe = 3".into(), 1, "recipe", "a list of tables is needed"),
        ("[[recipe]]\nname = \"r\"\nmechanisms = [\"*\"]\nfile = \"agent/a.toml\"\nat = \"x\"".into(), 1, "recipe.op", "is missing"),
        (recipe("op = \"append\"\nat = \"step\""), 5, "recipe.op", "there is no entry to append"),
        (recipe("op = \"knob\"\nat = \"x\""), 1, "recipe.type", "is missing"),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"int\""), 1, "recipe.range", "is missing"),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"int\"\nrange = [4, 1]"), 8, "recipe.range", "the lower first"),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"int\"\nrange = [0.5, 1]"), 8, "recipe.range", "of the knob's type"),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"choice\"\nchoices = [1]"), 8, "recipe.choices", "nothing to choose"),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"bool\"\nrange = [0, 1]"), 8, "recipe.range", "no meaning for type \"bool\""),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"bool\"\nvalues = [1]"), 8, "recipe.values", "no meaning for op \"knob\""),
        (recipe("op = \"knob\"\nat = \"x\"\ntype = \"bool\"").replace("a.toml", "a.md"), 5, "recipe.op", "the file has no keys"),
        (recipe("op = \"few_shot\"\nat = \"x\""), 5, "recipe.op", "there is no entry to append"),
        (recipe("op = \"few_shot\"\nat = \"x\"\nentry = \"{input}\""), 7, "recipe.entry", "shows no run"),
        (recipe("op = \"few_shot\"\nat = \"x\"\nentry = [\"{input}\", \"{output}\", \"{say}\"]"), 7, "recipe.entry", "use `{input}`"),
        (recipe("op = \"few_shot\"\nat = \"x\"\nentry = [\"{input}\", \"{output}\"]\nmost = 0"), 8, "recipe.most", "too small"),
        (recipe(&format!("{set}most = 3")), 8, "recipe.most", "no meaning for op \"set\""),
        (recipe("op = \"set\"\nat = \"x\""), 5, "recipe.op", "there are no values to try"),
        (recipe("op = \"set\"\nvalues = [1]"), 1, "recipe.at", "is missing"),
        (recipe(&format!("{set}entry = 1")), 8, "recipe.entry", "no meaning for op \"set\""),
        (recipe("op = \"append\"\nat = \"s\"\nentry = { name = \"{titel}\" }"), 7, "recipe.entry", "did you mean `{title}`?"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = [\"{calls}\"]"), 7, "recipe.entry", "how a call is written"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = [\"{conditions}\"]"), 7, "recipe.entry", "how a condition is written"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1\npositions = [\"middle\"]"), 8, "recipe.positions", "not one of the choices"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1\nreference = \"{tool}\""), 8, "recipe.reference", "both the tool and the field"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1\ncondition = { phrase = \"{line}\" }"), 8, "recipe.condition.phrase", "use `{phrase}`"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1\ncondition = { lines = 1 }"), 8, "recipe.condition.lines", "did you mean `line`?"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1\n[recipe.observe]\nat = \"d\""), 8, "recipe.observe.entry", "is missing"),
        (recipe(set).replace("agent/a.toml", "src/a.toml"), 4, "recipe.file", "a candidate may not change"),
        (recipe(set).replace("agent/a.toml", "agent/a.py"), 4, "recipe.file", "no format that can be edited"),
        (recipe(set).replace("agent/a.toml", "agent/a.md"), 5, "recipe.op", "the file has no keys"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1").replace("a.toml", "a.md"), 7, "recipe.entry", "the file is Markdown"),
        (recipe("op = \"append\"\nat = \"s\"\nentry = 1").replace("a.toml", "a.jsonl"), 6, "recipe.at", "no meaning for a JSONL file"),
        (format!("[harness]\npaths = [\"[\"]\n{}", recipe(set)), 2, "harness.paths", "is not a glob"),
        ("[redact]\npatterns = [\"ok\", \"(\"]".to_owned(), 2, "redact.patterns", "is not a regular expression: unclosed group"),
        ("[redact]\npatterns = [\"x*\"]".to_owned(), 2, "redact.patterns", "matches the empty text"),
        ("[runner.model]\nnames = [\"m\"]".to_owned(), 1, "runner.model.provider", "github-models"),
        ("[runner.model]\nprovider = \"openai\"".to_owned(), 1, "runner.model.names", "the models that may be used"),
        ("[runner.model]\nprovider = \"openai\"\nnames = []".to_owned(), 3, "runner.model.names", "is an empty list"),
        ("[runner]\nenv = [\"OPENAI_API_KEY\"]\n[runner.model]\nprovider = \"openai\"\nnames = [\"m\"]".to_owned(), 2, "runner.env", "hands over OPENAI_API_KEY"),
        ("[proposer]\nmodel = { provider = \"openai\", names = [\"m\"] }".to_owned(), 2, "proposer.model", "kind \"command\" alone"),
        ("[redact]\npattern = [\"x\"]".to_owned(), 2, "redact.pattern", "did you mean `patterns`?"),
        (format!("{}{}", recipe(set), recipe(set)), 10, "recipe.name", "as that of a recipe above"),
    ];
    for (text, line, key, part) in cases {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "one mistake, one problem in\n{text}\n{found:#?}");
        assert_eq!(
            (found[0].line, found[0].key.as_str()),
            (line, key),
            "in\n{text}\n{found:#?}"
        );
        let said = format!("{} / {}", found[0].what, found[0].fix);
        assert!(said.contains(part), "`{said}` should contain `{part}`");
    }
}

#[test]
fn the_digest_is_of_the_meaning() {
    let digest = |text: &str| parse(text).expect("right").digest();
    assert_eq!(
        digest(""),
        digest("# a comment\n[runner]\nconcurrency = 2\n[review]\ncases = \"auto\"\n")
    );
    assert_ne!(digest(""), digest("[runner]\nretries = 3\n"));
    assert_eq!(
        digest(""),
        digest("[runner]\nconcurrency = 3\n[budget]\nwall = \"9h\"\n"),
        "a run may be resumed faster, slower and longer"
    );
    assert_eq!(
        digest(""),
        digest("[sandbox]\ntier = \"b\"\n"),
        "and where another tier holds"
    );
    assert_ne!(
        digest(FULL),
        digest(&FULL.replace("values = [2, 3]", "values = [3, 2]"))
    );
    assert_eq!(
        digest(FULL),
        digest(&FULL.replace("tokens_per_minute = 8000", "tokens_per_minute = 9000")),
        "nor does how fast a model may be asked"
    );
    assert_ne!(digest(FULL), digest(&FULL.replace("some/model", "other/model")));
    assert_ne!(digest(FULL), digest(&FULL.replace("gpt-5.4-mini", "gpt-5.4-nano")));
    assert_eq!(digest(FULL), digest(&FULL.replace("AGENT_KEY", "OTHER_KEY")));
}

fn schema_keys(schema: &Value, prefix: &str, keys: &mut BTreeSet<String>) {
    let inner = schema
        .get("items")
        .filter(|items| items.get("properties").is_some())
        .unwrap_or(schema);
    for (key, property) in inner["properties"].as_object().into_iter().flatten() {
        let name = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        assert!(property["description"].is_string(), "{name} has no description");
        schema_keys(property, &name, keys);
        keys.insert(name);
    }
}

#[test]
fn parser_schema_and_docs_name_the_same_keys() {
    let (_, known) = read::parse_knowing(FULL);
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut keys = BTreeSet::new();
    schema_keys(&schema, "", &mut keys);
    assert_eq!(known, keys);
    let undocumented: Vec<_> = keys
        .iter()
        .filter(|key| !DOCS.contains(&format!("`{key}`")) && !DOCS.contains(&format!("[{key}]")))
        .collect();
    assert!(undocumented.is_empty(), "docs/config.md does not name {undocumented:?}");
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_parser() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut text = String::new();
    for (table, inner) in schema["properties"].as_object().expect("properties") {
        text.push_str(
            &format!("[{table}]\n")
                .replace("[recipe]", "[unused]")
                .replace("[unused]", ""),
        );
        for (key, property) in inner["properties"].as_object().into_iter().flatten() {
            if let Some(default) = property.get("default") {
                text.push_str(&format!("{key} = {default}\n"));
            }
        }
    }
    assert_eq!(parse(&text), parse(""), "{text}");
}

/// The TOML examples of the docs are right, taken together or each on its own.
#[test]
fn the_examples_of_the_docs_are_right() {
    let examples: Vec<&str> = DOCS
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() >= 2);
    for example in examples {
        assert!(
            parse(example).is_ok(),
            "{}",
            render_problems("docs/config.md", example, &problems(example))
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}", line in 0..60_usize, junk in "[\\[\\]{}=\"'#a-z0-9., \n]{0,12}") {
        let _any = parse(&text);
        // The same in a file that is right: every problem points into the file.
        let at = FULL.match_indices('\n').nth(line).map_or(0, |(at, _)| at + 1);
        let text = format!("{}{junk}{}", &FULL[..at], &FULL[at..]);
        if let Err(found) = parse(&text) {
            prop_assert!(found.iter().all(|problem| (1..=text.lines().count() + 1).contains(&problem.line) && !problem.fix.is_empty()));
            let _shown = render_problems("sprag.toml", &text, &found);
        }
    }
}
