//! Signals: where evidence of a failure comes from. So far: a labelled issue as text.

use crate::id::TaskId;
use crate::trace::Trace;
use serde::{Deserialize, Serialize};

/// A labelled issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its text, Markdown.
    pub body: String,
}

/// What an issue gives to work with, the best first.
#[derive(Debug, Clone, PartialEq)]
pub enum Clue {
    /// A recorded run in a fenced block.
    Trace(Box<Trace>),
    /// The name of a task that the runner knows.
    Task(TaskId),
    /// Nothing; half a sentence says what was there instead, if anything.
    Nothing(Option<String>),
}

impl Issue {
    /// Reads an issue's text for a trace, else for the name of one of the runner's tasks.
    pub fn clue(&self, known: &[TaskId]) -> Clue {
        let mut unreadable = None;
        for block in fenced_blocks(&self.body) {
            match serde_json::from_str::<Trace>(&block) {
                Ok(trace) if !trace.steps.is_empty() => return Clue::Trace(Box::new(trace)),
                Ok(_) => unreadable = Some("the JSON in the fenced block has no `steps`".to_owned()),
                Err(error) if block.trim_start().starts_with('{') => {
                    unreadable = Some(format!("the fenced block cannot be read as a trace ({error})"));
                }
                Err(_) => {}
            }
        }
        let words: Vec<&str> = self
            .body
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .collect();
        match known.iter().find(|task| words.contains(&task.as_str())) {
            Some(task) => Clue::Task(task.clone()),
            None => Clue::Nothing(unreadable),
        }
    }
}

/// The contents of the fenced code blocks of a Markdown text.
fn fenced_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        let start = line.trim_start();
        let fence: String = start.chars().take_while(|&c| c == '`').collect();
        match open.as_mut() {
            None if fence.len() >= 3 => open = Some((fence, String::new())),
            None => {}
            Some((ticks, _)) if fence.len() >= ticks.len() && start.trim_end() == fence => {
                blocks.extend(open.take().map(|(_, block)| block));
            }
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clue(body: &str) -> Clue {
        let known = [TaskId::new("hd-1"), TaskId::new("hd-12")];
        Issue {
            number: 1,
            title: String::new(),
            body: body.to_owned(),
        }
        .clue(&known)
    }

    #[test]
    fn a_fenced_trace_comes_before_a_named_task() {
        let body = "It failed in hd-1:\n```json\n{\"steps\": [{\"role\": \"user\", \"content\": \"hi\"}]}\n```\n";
        assert!(matches!(clue(body), Clue::Trace(trace) if trace.steps[0].content == "hi"));
    }

    #[test]
    fn a_task_is_found_as_a_whole_word() {
        assert_eq!(clue("seen in (hd-12)."), Clue::Task(TaskId::new("hd-12")));
        assert_eq!(clue("seen in hd-123"), Clue::Nothing(None));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(
            matches!(clue("```\n{\"steps\": [\n```"), Clue::Nothing(Some(problem)) if problem.contains("cannot be read"))
        );
        assert_eq!(clue("it does not work"), Clue::Nothing(None));
    }
}
