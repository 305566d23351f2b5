//! Chats that people paste: `User: …` and `Assistant: …` in the lines of a fenced block.

use crate::trace::read::{ReadTrace, of_unnamed_steps};
use crate::trace::{Role, Step};

/// The chat in a block; `None` unless both a person and the agent speak in it.
pub(super) fn read(block: &str) -> Option<ReadTrace> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (speaker(line), steps.last_mut()) {
            (Some((role, said)), _) => steps.push(Step {
                role,
                content: said.to_owned(),
                ..Step::default()
            }),
            (None, Some(step)) => {
                step.content.push('\n');
                step.content.push_str(line.trim_end());
            }
            // What stands before the first speaker belongs to nobody.
            (None, None) => {}
        }
    }
    for step in &mut steps {
        step.content = step.content.trim().to_owned();
        step.error = step.role == Role::Tool && step.content.to_lowercase().starts_with("error");
    }
    let speaks = |role| steps.iter().any(|step| step.role == role);
    // Settings have `user:` and `agent:` too, but no sentences.
    let sentence = steps.iter().any(|step| step.content.contains(char::is_whitespace));
    (speaks(Role::User) && speaks(Role::Assistant) && sentence).then(|| of_unnamed_steps("pasted", steps))
}

/// Who speaks in a line, and what is said: `User: hi`, also quoted, bold, or after a time in brackets.
fn speaker(line: &str) -> Option<(Role, &str)> {
    let line = line.trim_start_matches(['>', ' ', '\t']);
    let line = match line.strip_prefix('[') {
        Some(timed) if timed.starts_with(|first: char| first.is_ascii_digit()) => timed.split_once(']')?.1.trim_start(),
        _ => line,
    };
    let (name, said) = line.split_once(':')?;
    let name = name.trim_matches(['*', '_', '#', ' ']).to_lowercase();
    let role = match name.as_str() {
        "user" | "human" | "customer" | "me" => Role::User,
        "assistant" | "agent" | "bot" | "ai" | "model" | "chatbot" => Role::Assistant,
        "system" => Role::System,
        "tool" | "tool result" | "tool output" | "function" | "observation" => Role::Tool,
        _ => return None,
    };
    Some((role, said.trim_start_matches(['*', '_']).trim()))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn told(block: &str) -> Option<Vec<String>> {
        let steps = read(block)?.trace.steps;
        let one = |step: &crate::trace::Step| format!("{:?} {:?} {}", step.role, step.content, step.error);
        Some(steps.iter().map(one).collect())
    }

    #[test]
    fn a_chat_is_read_in_the_ways_people_paste_it() {
        let expected = [
            "User \"Cancel order 7\\nplease\" false",
            "Assistant \"Done: cancelled.\" false",
        ];
        for block in [
            "User: Cancel order 7\n  please\nAssistant: Done: cancelled.\n",
            "**User:** Cancel order 7\nplease\n\n**Assistant**: Done: cancelled.",
            "> Human: Cancel order 7\nplease\n> AI: Done: cancelled.",
            "[12:01] customer: Cancel order 7\nplease\n[12:02] Agent: Done: cancelled.",
            "from the web chat\nUser: Cancel order 7\nplease\nBot: Done: cancelled.",
        ] {
            let told = told(block).unwrap();
            assert_eq!(
                told.iter().map(|one| one.replace("\\n  ", "\\n")).collect::<Vec<_>>(),
                expected,
                "{block}"
            );
        }
    }

    #[test]
    fn answers_of_tools_are_told_apart() {
        let told = told("User: hi\nTool result: Error: no such order\nAssistant: sorry").unwrap();
        assert_eq!(told[1], "Tool \"Error: no such order\" true");
    }

    #[test]
    fn what_only_looks_like_a_chat_is_none() {
        for block in [
            "User: root\nHost: example",
            "user: hi\nuser: hello",
            "fn main() {}\n",
            "https://x:80/",
        ] {
            assert_eq!(told(block), None, "{block}");
        }
    }
}
