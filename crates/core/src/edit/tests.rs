//! Tests of edits: what each format looks like afterwards, and what holds for all texts.

use super::*;
use serde_json::json;

fn append(at: &str, value: Value, position: Position) -> Edit {
    Edit::Append {
        at: at.to_owned(),
        value,
        position,
    }
}

fn set(at: &str, value: Value) -> Edit {
    Edit::Set {
        at: at.to_owned(),
        value,
    }
}

fn edited(path: &str, text: &str, edit: &Edit) -> String {
    apply(path, text, edit).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn fault(path: &str, text: &str, edit: &Edit) -> String {
    apply(path, text, edit)
        .expect_err("the edit cannot be made")
        .to_string()
}

fn step() -> Value {
    json!({"name": "refund a late order", "when": [{"tool": "get_order", "field": "status", "is": "late"}], "do": [{"tool": "refund", "args": {"id": "{get_order.id}"}}]})
}

mod in_toml {
    use super::*;

    const TEXT: &str = "# The workflow.\n\nrounds = 1 # how often\n\n[[diagnose]]\ntool = \"look\"\n\n# --- Steps ---\n\n# First of all.\n[[step]]\nname = \"a\"\nargs = { b = 1, a = 2 } # kept\n\n[[step]]\nname = \"z\" # closes\n\n# --- The end ---\n[other]\nkey = 'v'\n";

    #[test]
    fn tables_go_where_they_are_asked_to() {
        insta::assert_snapshot!(edited("w.toml", TEXT, &append("step", step(), Position::End)), @r##"
        # The workflow.

        rounds = 1 # how often

        [[diagnose]]
        tool = "look"

        # --- Steps ---

        # First of all.
        [[step]]
        name = "a"
        args = { b = 1, a = 2 } # kept

        [[step]]
        name = "z" # closes

        [[step]]
        name = "refund a late order"
        when = [{ tool = "get_order", field = "status", is = "late" }]
        do = [{ tool = "refund", args = { id = "{get_order.id}" } }]

        # --- The end ---
        [other]
        key = 'v'
        "##);
        let new = "[[step]]\nname = \"n\"\n\n";
        let one = json!({"name": "n"});
        assert_eq!(
            edited("w.toml", TEXT, &append("step", one.clone(), Position::Start)),
            TEXT.replace("# First of all.", &format!("{new}# First of all."))
        );
        assert_eq!(
            edited("w.toml", TEXT, &append("step", one, Position::BeforeLast)),
            TEXT.replace("[[step]]\nname = \"z\"", &format!("{new}[[step]]\nname = \"z\""))
        );
    }

    #[test]
    fn a_long_list_takes_a_line_an_entry() {
        let conditions: Vec<Value> = (0..4)
            .map(|number| json!({"tool": "check_network_status", "has": format!("line {number} of it")}))
            .collect();
        let text = edited(
            "w.toml",
            "",
            &append("step", json!({"when": conditions}), Position::End),
        );
        insta::assert_snapshot!(text, @r#"
        [[step]]
        when = [
            { tool = "check_network_status", has = "line 0 of it" },
            { tool = "check_network_status", has = "line 1 of it" },
            { tool = "check_network_status", has = "line 2 of it" },
            { tool = "check_network_status", has = "line 3 of it" },
        ]
        "#);
    }

    #[test]
    fn entries_of_inner_tables_stay_with_their_entry() {
        let text = "[[step]]\nname = \"a\"\n[step.args]\nx = 1\n[[step.more]]\ny = 2\n[last]\n";
        let changed = edited("w.toml", text, &append("step", json!({"name": "b"}), Position::End));
        assert_eq!(changed, text.replace("[last]", "\n[[step]]\nname = \"b\"\n[last]"));
        let changed = edited("w.toml", text, &append("step.0.more", json!({"y": 3}), Position::End));
        assert_eq!(changed, text.replace("[last]", "\n[[step.more]]\ny = 3\n[last]"));
    }

    #[test]
    fn lists_in_brackets_grow_in_their_own_style() {
        let grow = |text: &str, position| edited("w.toml", text, &append("a.l", json!({"t": "x"}), position));
        assert_eq!(
            grow("[a]\nl = [{ t = 1 }] # c\n", Position::End),
            "[a]\nl = [{ t = 1 }, { t = \"x\" }] # c\n"
        );
        assert_eq!(
            grow("[a]\nl = [{ t = 1 }]\n", Position::Start),
            "[a]\nl = [{ t = \"x\" }, { t = 1 }]\n"
        );
        assert_eq!(grow("[a]\nl = []\n", Position::End), "[a]\nl = [{ t = \"x\" }]\n");
        assert_eq!(
            grow("[a]\nl = [\n  # none yet\n]\n", Position::End),
            "[a]\nl = [\n  # none yet\n  { t = \"x\" }\n]\n"
        );
        assert_eq!(
            grow("[a]\nl = [\n  1, # one\n  2, # two\n]\n", Position::End),
            "[a]\nl = [\n  1, # one\n  2, # two\n  { t = \"x\" },\n]\n"
        );
        assert_eq!(
            grow("[a]\nl = [\n  1, # one\n  2 # two\n]\n", Position::End),
            "[a]\nl = [\n  1, # one\n  2, # two\n  { t = \"x\" }\n]\n"
        );
        assert_eq!(
            grow("[a]\nl = [\n  1,\n  # about two\n  2,\n]\n", Position::BeforeLast),
            "[a]\nl = [\n  1,\n  { t = \"x\" },\n  # about two\n  2,\n]\n"
        );
        assert_eq!(
            grow("a = { l = [1] }\n", Position::End),
            "a = { l = [1, { t = \"x\" }] }\n"
        );
    }

    #[test]
    fn keys_are_set_and_made() {
        let put = |text: &str, at: &str, value| edited("w.toml", text, &set(at, value));
        assert_eq!(put(TEXT, "rounds", json!(3)), TEXT.replace("rounds = 1", "rounds = 3"));
        assert_eq!(
            put(TEXT, "step.0.args.a", json!("it's")),
            TEXT.replace("a = 2", "a = \"it's\"")
        );
        assert_eq!(
            put(TEXT, "step.0.args.c d", json!(true)),
            TEXT.replace("a = 2 }", "a = 2, \"c d\" = true }")
        );
        assert_eq!(
            put(TEXT, "limit", json!(1.5)),
            TEXT.replace("# how often\n", "# how often\nlimit = 1.5\n")
        );
        assert_eq!(put(TEXT, "other.more", json!([1])), format!("{TEXT}more = [1]\n"));
        assert_eq!(put("[a]\nx = 1", "a.y", json!(2)), "[a]\nx = 1\ny = 2\n");
        assert_eq!(
            put("# file\n\n# a\n[a]\nx = 1\n", "y", json!(2)),
            "# file\n\ny = 2\n\n# a\n[a]\nx = 1\n"
        );
        assert_eq!(put("[a.b]\nx = 1\n", "a.y", json!(2)), "[a.b]\nx = 1\n\n[a]\ny = 2\n");
        assert_eq!(put("a.b = 1\r\n", "c", json!(2)), "a.b = 1\r\nc = 2\r\n");
        assert_eq!(
            put("x = 1\n", "x", json!("two\nlines \"quoted\"")),
            "x = \"\"\"\ntwo\nlines \"quoted\"\"\"\"\n"
        );
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        assert_eq!(
            fault("w.toml", "a = = 1", &set("a", json!(1))),
            "edit w.toml: line 1 is not TOML: extra `=`, expected nothing"
        );
        assert_eq!(
            fault("w.toml", TEXT, &append("rounds", json!(1), Position::End)),
            "edit w.toml: `rounds` needs a list but is a number"
        );
        assert_eq!(
            fault("w.toml", TEXT, &set("no.such", json!(1))),
            "edit w.toml: there is no `no` in it"
        );
        assert_eq!(
            fault("w.toml", TEXT, &set("rounds.x", json!(1))),
            "edit w.toml: `rounds` needs a table but is a number"
        );
        assert_eq!(
            fault("w.toml", TEXT, &set("step.9.name", json!(1))),
            "edit w.toml: there is no `step.9` in it"
        );
        assert_eq!(
            fault("w.toml", TEXT, &set("rounds", Value::Null)),
            "edit w.toml: `rounds` cannot be changed: TOML has no null"
        );
        assert_eq!(
            fault("w.toml", TEXT, &set("other", json!({}))),
            "edit w.toml: `other` cannot be changed: it has a header of its own; name a key in it"
        );
        assert_eq!(
            fault("w.toml", TEXT, &append("step", json!("x"), Position::End)),
            "edit w.toml: `step` needs an entry that is a table, as the others are, but is a text"
        );
        assert_eq!(
            fault("w.py", "", &set("a", json!(1))),
            "edit w.py: only files that end in .toml, .yaml, .yml, .json, .jsonl or .md can be edited"
        );
    }
}

mod in_json {
    use super::*;

    #[test]
    fn entries_are_written_like_the_others() {
        let grow = |text: &str, position| {
            edited(
                "w.json",
                text,
                &append("l", json!({"t": ["x", 1], "o": {"k": null}}), position),
            )
        };
        assert_eq!(
            grow(
                "{\n  \"l\": [\n    { \"t\": 1 }, // one\n    { \"t\": 2 } // two\n  ]\n}\n",
                Position::End
            ),
            "{\n  \"l\": [\n    { \"t\": 1 }, // one\n    { \"t\": 2 }, // two\n    { \"t\": [\"x\", 1], \"o\": { \"k\": null } }\n  ]\n}\n"
        );
        assert_eq!(
            grow(
                "{\n    \"l\": [\n        {\n            \"t\": 1\n        }\n    ]\n}",
                Position::Start
            ),
            "{\n    \"l\": [\n        {\n            \"t\": [\"x\", 1],\n            \"o\": {\n                \"k\": null\n            }\n        },\n        {\n            \"t\": 1\n        }\n    ]\n}"
        );
        assert_eq!(
            grow("{\"l\":[1,2]}", Position::BeforeLast),
            "{\"l\":[1,{\"t\":[\"x\",1],\"o\":{\"k\":null}}, 2]}"
        );
        assert_eq!(
            grow("{\n\t\"l\": []\n}\n", Position::End),
            "{\n\t\"l\": [\n\t\t{\n\t\t\t\"t\": [\"x\", 1],\n\t\t\t\"o\": {\n\t\t\t\t\"k\": null\n\t\t\t}\n\t\t}\n\t]\n}\n"
        );
        assert_eq!(
            edited(
                "w.json",
                "{ \"l\": [1, /* two */ 2,], }",
                &append("l", json!(3), Position::End)
            ),
            "{ \"l\": [1, /* two */ 2, 3,], }"
        );
        assert_eq!(
            edited(
                "w.json",
                "{\r\n  \"l\": [\r\n    1\r\n  ]\r\n}",
                &append("l", json!(3), Position::End)
            ),
            "{\r\n  \"l\": [\r\n    1,\r\n    3\r\n  ]\r\n}"
        );
        assert_eq!(edited("w.json", "[1]", &append("", json!(3), Position::End)), "[1, 3]");
    }

    #[test]
    fn keys_are_set_and_made() {
        let put = |text: &str, at: &str, value| edited("w.json", text, &set(at, value));
        assert_eq!(
            put("{ \"a\": { \"b\": 1 /* c */ } }", "a.b", json!("x")),
            "{ \"a\": { \"b\": \"x\" /* c */ } }"
        );
        assert_eq!(
            put("{\n  \"a\": 1\n}\n", "b", json!([1, 2])),
            "{\n  \"a\": 1,\n  \"b\": [1, 2]\n}\n"
        );
        assert_eq!(put("{}", "b", json!({"c": 1})), "{\"b\": {\"c\": 1}}");
        assert_eq!(
            edited("w.json", "{\n  \"a\": null\n}\n", &append("a", json!(1), Position::End)),
            "{\n  \"a\": [1]\n}\n"
        );
        assert_eq!(
            edited("w.json", "{\n  \"a\": 1\n}\n", &append("b", json!("x"), Position::End)),
            "{\n  \"a\": 1,\n  \"b\": [\"x\"]\n}\n"
        );
        assert_eq!(
            fault("w.json", "{\n  \"a\" 1\n}", &set("a", json!(1))),
            "edit w.json: line 2 is not JSON: Expected colon after the string or word in object property"
        );
        assert_eq!(
            fault("w.json", "", &set("a", json!(1))),
            "edit w.json: line 1 is not JSON: the file is empty"
        );
    }

    #[test]
    fn lines_of_jsonl_are_added() {
        let text = "{\"t\": 1}\n\n{\"t\": 2}";
        let add = |position| edited("w.jsonl", text, &append("", json!({"t": [3, 4]}), position));
        assert_eq!(add(Position::End), "{\"t\": 1}\n\n{\"t\": 2}\n{\"t\": [3, 4]}\n");
        assert_eq!(add(Position::Start), "{\"t\": [3, 4]}\n{\"t\": 1}\n\n{\"t\": 2}");
        assert_eq!(add(Position::BeforeLast), "{\"t\": 1}\n\n{\"t\": [3, 4]}\n{\"t\": 2}");
        assert_eq!(
            edited("w.jsonl", "", &append("", json!(1), Position::BeforeLast)),
            "1\n"
        );
        assert_eq!(
            fault("w.jsonl", "{}\n{", &append("", json!(1), Position::End)),
            "edit w.jsonl: line 2 is not JSON Lines: EOF while parsing an object at line 1 column 1"
        );
    }
}

mod in_yaml {
    use super::*;

    const TEXT: &str = "# The workflow.\nrounds: 1 # how often\n\nsteps:\n  # First of all.\n  - name: a\n    args: {b: 1, a: 2} # kept\n    text: |\n      one\n      two\n\n  # The last.\n  - name: z # closes\n    more:\n      - 1\n\n# The end.\nother:\n  key: 'v'\nempty: []\nnothing:\nlist: [x, y]\n";

    #[test]
    fn entries_go_where_they_are_asked_to() {
        insta::assert_snapshot!(edited("w.yaml", TEXT, &append("steps", step(), Position::End)), @r##"
        # The workflow.
        rounds: 1 # how often

        steps:
          # First of all.
          - name: a
            args: {b: 1, a: 2} # kept
            text: |
              one
              two

          # The last.
          - name: z # closes
            more:
              - 1

          - name: refund a late order
            when:
              - tool: get_order
                field: status
                is: late
            do:
              - tool: refund
                args:
                  id: "{get_order.id}"

        # The end.
        other:
          key: 'v'
        empty: []
        nothing:
        list: [x, y]
        "##);
        let one = json!({"name": "new"});
        assert_eq!(
            edited("w.yml", TEXT, &append("steps", one.clone(), Position::Start)),
            TEXT.replace("  # First of all.", "  - name: new\n\n  # First of all.")
        );
        assert_eq!(
            edited("w.yml", TEXT, &append("steps", one, Position::BeforeLast)),
            TEXT.replace("  # The last.", "  - name: new\n\n  # The last.")
        );
    }

    #[test]
    fn every_kind_of_list_grows() {
        let grow = |at: &str, value| edited("w.yaml", TEXT, &append(at, value, Position::End));
        assert_eq!(grow("list", json!("yes")), TEXT.replace("[x, y]", "[x, y, \"yes\"]"));
        assert_eq!(
            grow("empty", json!({"a": 1, "b": [2]})),
            TEXT.replace("empty: []", "empty:\n  - a: 1\n    b:\n      - 2")
        );
        assert_eq!(grow("nothing", json!("q")), TEXT.replace("nothing:", "nothing:\n  - q"));
        assert_eq!(grow("new", json!("a: b")), format!("{TEXT}new:\n  - \"a: b\"\n"));
        assert_eq!(
            grow("steps.1.more", json!(2)),
            TEXT.replace("      - 1\n", "      - 1\n      - 2\n")
        );
        assert_eq!(
            edited("w.yaml", "- a\n- b", &append("", json!("c"), Position::End)),
            "- a\n- b\n- c\n"
        );
        assert_eq!(
            edited(
                "w.yaml",
                "a:\n- b:\n  - 1\nc: 2\n",
                &append("a", json!({"b": [1]}), Position::End)
            ),
            "a:\n- b:\n  - 1\n- b:\n  - 1\nc: 2\n"
        );
        assert_eq!(
            edited("w.yaml", "- - a\n  - b\n", &append("0", json!("c"), Position::Start)),
            "- - c\n  - a\n  - b\n"
        );
        assert_eq!(
            edited(
                "w.yaml",
                "l: [\n  a, # one\n  b # two\n  ]\n",
                &append("l", json!("c"), Position::End)
            ),
            "l: [\n  a, # one\n  b, # two\n  c\n  ]\n"
        );
        assert_eq!(
            edited("w.yaml", "ä: ü\nl:\n  - é\n", &append("l", json!("ö"), Position::End)),
            "ä: ü\nl:\n  - é\n  - ö\n"
        );
    }

    #[test]
    fn keys_are_set_and_made() {
        let put = |at: &str, value| edited("w.yaml", TEXT, &set(at, value));
        assert_eq!(put("rounds", json!(3)), TEXT.replace("rounds: 1", "rounds: 3"));
        assert_eq!(put("other.key", json!("w")), TEXT.replace("'v'", "w"));
        assert_eq!(
            put("other.more", json!({"a": 1})),
            TEXT.replace("'v'\n", "'v'\n  more:\n    a: 1\n")
        );
        assert_eq!(put("steps.0.args.a", json!(null)), TEXT.replace("a: 2}", "a: null}"));
        assert_eq!(
            put("steps.0.args.c", json!([1])),
            TEXT.replace("a: 2}", "a: 2, c: [1]}")
        );
        assert_eq!(put("nothing", json!(5)), TEXT.replace("nothing:", "nothing: 5"));
        assert_eq!(
            put("text", json!("one\n  two\n")),
            format!("{TEXT}text: |\n  one\n    two\n")
        );
        assert_eq!(
            edited("w.yaml", "# empty\n", &set("a", json!("1"))),
            "# empty\na: \"1\"\n"
        );
        assert_eq!(edited("w.yaml", "a:\n- 1\n", &set("b", json!(2))), "a:\n- 1\nb: 2\n");
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        assert_eq!(
            fault("w.yaml", TEXT, &set("steps", json!(1))),
            "edit w.yaml: `steps` cannot be changed: it is a block; name a key in it"
        );
        assert_eq!(
            fault("w.yaml", "a: 1\n---\nb: 2\n", &set("a", json!(1))),
            "edit w.yaml: line 2 is not YAML: a second document; only files with one can be edited"
        );
        assert_eq!(
            fault("w.yaml", "a: &x [1]\nb: *x\n", &append("b", json!(2), Position::End)),
            "edit w.yaml: `b` cannot be changed: it is written elsewhere in the file, by an alias"
        );
        assert!(fault("w.yaml", "a: [1\nb: 2\n", &set("b", json!(1))).contains("is not YAML"));
        let deep = "[".repeat(5000);
        assert!(fault("w.yaml", &deep, &set("b", json!(1))).contains("is not YAML"));
        assert_eq!(
            fault("w.yaml", "a: &x [1]\nb: *x\n", &append("a", json!(2), Position::End)),
            "edit w.yaml: the changed file would not read back as intended, so it was left as it is"
        );
    }
}

mod in_markdown {
    use super::*;

    const TEXT: &str = "You help people.\n\n# Rules\n\nThink first.\n\n- Be kind,\n  always.\n- Be brief.\n\nAnd:\n\n* Ask.\n\n* Listen.\n\n## Empty\n\n# Steps #\n1. Look.\n2. Act.\n```\n# not a heading\n```\n";

    #[test]
    fn bullets_join_the_last_list_of_their_section() {
        let add = |at: &str, value: &str, position| edited("p.md", TEXT, &append(at, json!(value), position));
        assert_eq!(
            add("Rules", "Refund late orders.", Position::End),
            TEXT.replace("* Listen.\n", "* Listen.\n\n* Refund late orders.\n")
        );
        assert_eq!(
            add("Rules", "One.\nTwo.", Position::Start),
            TEXT.replace("* Ask.\n", "* One.\n  Two.\n\n* Ask.\n")
        );
        assert_eq!(
            add("## Empty", "One.", Position::BeforeLast),
            TEXT.replace("## Empty\n", "## Empty\n\n- One.\n")
        );
        assert_eq!(
            add("Steps", "Look again.", Position::BeforeLast),
            TEXT.replace("2. Act.", "2. Look again.\n2. Act.")
        );
        assert_eq!(
            add("", "Be brief.", Position::End),
            TEXT.replace("people.\n", "people.\n\n- Be brief.\n")
        );
        assert_eq!(
            edited("p.md", "# A\n- x", &append("A", json!("y"), Position::End)),
            "# A\n- x\n- y\n"
        );
        assert_eq!(
            edited("p.md", "# A\n1. x\n2. y\n", &append("A", json!("z"), Position::End)),
            "# A\n1. x\n2. y\n3. z\n"
        );
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        assert_eq!(
            fault("p.md", TEXT, &append("not a heading", json!("x"), Position::End)),
            "edit p.md: there is no `not a heading` in it"
        );
        assert_eq!(
            fault("p.md", TEXT, &append("Rules", json!(["x"]), Position::End)),
            "edit p.md: `Rules` needs a text to add but is a list"
        );
        assert!(fault("p.md", TEXT, &set("Rules", json!("x"))).contains("Markdown has no keys"));
    }
}

#[test]
fn what_stands_at_a_place_can_be_read() {
    for (path, text, at, value) in [
        ("s.toml", "[a]\nb = [1, 2] # two\n", "a.b", json!([1, 2])),
        ("s.yaml", "a:\n  b: text\n", "a.b", json!("text")),
        ("s.json", "{\"a\": [{\"b\": 3}]} // three", "a.0.b", json!(3)),
        ("s.jsonl", "{\"a\": 1}\n{\"a\": 2}\n", "", json!([{"a": 1}, {"a": 2}])),
        (
            "s.md",
            "# Top\n## Rules\n- one\n- two\n",
            "## Rules",
            json!(["- one", "- two"]),
        ),
    ] {
        assert_eq!(held(path, text, at), Some(value), "{path}");
    }
    for (path, text, at) in [
        ("s.toml", "a = 1", "b"),
        ("s.toml", "a =", "a"),
        ("s.py", "a = 1", "a"),
        ("s.md", "# A", "B"),
    ] {
        assert_eq!(held(path, text, at), None, "{path}");
    }
}

mod for_all {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text().prop_map(Value::from)
        ];
        scalar.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,6}|[a-z .\"#:]{1,6}", inner, 0..3).prop_map(|map| json!(map))
            ]
        })
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z ]{0,12}",
            "\\PC{0,12}",
            "[a-z \n\"'#:,\\[\\]{}|>&*!%@`-]{0,16}",
            Just("yes".to_owned()),
            Just("1e3".to_owned()),
            Just("a\nb\n".to_owned())
        ]
    }

    fn comment() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "[a-z :,\\[{\"]{1,8}"]
    }

    fn position() -> impl Strategy<Value = Position> {
        prop_oneof![Just(Position::Start), Just(Position::BeforeLast), Just(Position::End)]
    }

    /// A file of some steps, each with a comment above and one behind, in one format; with or without blank lines between.
    fn document(path: &str, steps: &[(String, String)], airy: bool, crlf: bool) -> String {
        let gap = if airy { "\n" } else { "" };
        let step = |(index, (above, behind)): (usize, &(String, String))| match path {
            "w.toml" => format!("{gap}# {above}\n[[steps]]\nname = {index} # {behind}\n"),
            "w.yaml" => format!("{gap}  # {above}\n  - name: {index} # {behind}\n    more: [1]\n"),
            _ => format!("{gap}    // {above}\n    {{ \"name\": {index} }}, // {behind}\n"),
        };
        let body: String = steps.iter().enumerate().map(step).collect();
        let text = match path {
            "w.toml" => format!("# top\nrounds = 1\n{body}\n# end\n[last]\nlist = [1, 2]\n"),
            "w.yaml" if steps.is_empty() => "# top\nrounds: 1\nsteps:\n# end\nlast:\n  list: [1, 2]\n".to_owned(),
            "w.yaml" => format!("# top\nrounds: 1\nsteps:\n{body}\n# end\nlast:\n  list: [1, 2]\n"),
            _ => format!(
                "{{\n  // top\n  \"rounds\": 1,\n  \"steps\": [\n{body}  ],\n  // end\n  \"last\": {{\n    \"list\": [1, 2]\n  }}\n}}\n"
            ),
        };
        if crlf { text.replace('\n', "\r\n") } else { text }
    }

    fn lines_kept(before: &str, after: &str) -> bool {
        let mut after = after.lines();
        before.lines().all(|line| after.any(|other| other == line))
    }

    proptest! {
        #[test]
        fn an_appended_step_leaves_every_line_as_it_was(
            path in prop_oneof![Just("w.toml"), Just("w.yaml"), Just("w.json")],
            steps in prop::collection::vec((comment(), comment()), 0..4),
            (airy, crlf) in any::<(bool, bool)>(),
            entry in prop::collection::btree_map("[a-z]{1,6}", value(), 1..4),
            position in position(),
        ) {
            let text = document(path, &steps, airy, crlf);
            let entry = json!(entry);
            let changed = edited(path, &text, &append("steps", entry, position));
            // An empty list in brackets is opened: its own two lines change.
            let opened = path == "w.json" && steps.is_empty();
            prop_assert!(opened || lines_kept(&text, &changed), "{text}\n=>\n{changed}");
            prop_assert!(!crlf || changed.lines().count() == changed.matches("\r\n").count(), "{changed:?}");
        }

        #[test]
        fn a_set_value_changes_its_place_only(
            path in prop_oneof![Just("w.toml"), Just("w.yaml"), Just("w.json")],
            steps in prop::collection::vec((comment(), comment()), 0..4),
            new in value(),
        ) {
            let text = document(path, &steps, false, false);
            let changed = edited(path, &text, &set("rounds", new.clone()));
            let start = text.find('1').expect("the value of rounds");
            prop_assert!(changed.starts_with(&text[..start]) && changed.ends_with(&text[start + 1..]), "{changed}");
            let changed = edited(path, &text, &set("last.new", new));
            prop_assert!(lines_kept(&text.replace("[1, 2]\n  }", "[1, 2],\n  }"), &changed), "{changed}");
        }

        #[test]
        fn any_edit_of_any_text_is_right_or_refused(
            path in prop_oneof![Just("w.toml"), Just("w.yaml"), Just("w.json"), Just("w.jsonl"), Just("w.md")],
            text in "([a-c]: |[a-c] = |- |# |\\[|\\]|\\{|\\}|\"[a-c]\"|, |\n|\n  |[a-c1]|é|//|\\|){0,14}",
            at in prop_oneof![Just("a"), Just("a.b"), Just(""), Just("a.0"), Just("0")],
            new in value(),
            position in position(),
        ) {
            for edit in [append(at, new.clone(), position), set(at, new.clone())] {
                if let Ok(changed) = apply(path, &text, &edit) {
                    prop_assert!(read(Format::of(path).expect("known"), &changed).is_ok());
                }
            }
        }

        #[test]
        fn a_bullet_leaves_every_line_as_it_was(lines in prop::collection::vec("(# |## |- |  |1\\. |```)?[a-c ]{0,4}", 0..12), entry in text(), position in position()) {
            let text = format!("# Rules\n{}", lines.join("\n"));
            if let Ok(changed) = apply("p.md", &text, &append("Rules", json!(entry), position)) {
                prop_assert!(lines_kept(&text, &changed), "{text}\n=>\n{changed}");
            }
        }
    }
}
