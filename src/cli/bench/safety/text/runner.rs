//! What the runner of GitHub Actions takes for a command in a log, after its own sources (`ActionCommand.cs`, `ActionCommandManager.cs`).

/// The commands that it knows, some of them only where a workflow allows it.
const KNOWN: [&str; 17] = [
    "set-env",
    "set-output",
    "save-state",
    "add-path",
    "add-mask",
    "add-matcher",
    "remove-matcher",
    "internal-set-repo-path",
    "debug",
    "warning",
    "error",
    "notice",
    "group",
    "endgroup",
    "echo",
    "stop-commands",
    "workflow-command",
];

/// The first command in a text; a log is read line by line.
pub(super) fn command(text: &str) -> Option<&'static str> {
    text.split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}'])
        .find_map(|line| second_form(line).or_else(|| first_form(line)))
}

/// `::name key=value::data`, at the beginning of a line but for white space.
fn second_form(line: &str) -> Option<&'static str> {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let (info, _) = line.strip_prefix("::")?.split_once("::")?;
    known(info)
}

/// `##[name key=value]data`, anywhere in a line.
fn first_form(line: &str) -> Option<&'static str> {
    let (info, _) = line.split_once("##[")?.1.split_once(']')?;
    known(info)
}

fn known(info: &str) -> Option<&'static str> {
    let name = info.split(' ').next().unwrap_or_default();
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn commands_are_known_from_words() {
        assert_eq!(command("a\n  ::set-output name=x::y"), Some("set-output"));
        assert_eq!(command("see ##[Group]x"), Some("group"));
        assert_eq!(command("a ::error::b, std::fmt::Debug, ::unknown::x"), None);
    }

    #[test]
    fn every_payload_would_be_obeyed_as_it_is() {
        for payload in super::super::payloads::logged() {
            let seen = sprag_core::render::markdown::visible(&payload);
            assert!(command(&payload).or_else(|| command(&seen)).is_some(), "{payload:?}");
        }
    }
}
