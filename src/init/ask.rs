//! What `sprag init` asks a person: little, with what was detected as the answer to a plain Enter.

use super::detect::Detected;
use super::{Choices, RunnerChoice};
use std::io::{self, BufRead, Write};

/// Somebody to ask: what they type, and where they read.
pub struct Person<'a> {
    /// What they type.
    pub input: &'a mut dyn BufRead,
    /// What they see.
    pub output: &'a mut dyn Write,
}

impl std::fmt::Debug for Person<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person")
    }
}

impl Person<'_> {
    /// Their answer to one question; the default for a plain Enter or the end of the input.
    ///
    /// # Errors
    /// When the input cannot be read or the output cannot be written.
    pub fn ask(&mut self, question: &str, default: &str) -> io::Result<String> {
        write!(self.output, "{question} [{default}] ")?;
        self.output.flush()?;
        let mut line = String::new();
        self.input.read_line(&mut line)?;
        let line = line.trim();
        Ok(if line.is_empty() {
            default.to_owned()
        } else {
            line.to_owned()
        })
    }

    /// Whether they say yes.
    ///
    /// # Errors
    /// As for [`Person::ask`].
    pub fn agrees(&mut self, question: &str, default: bool) -> io::Result<bool> {
        let answer = self.ask(question, if default { "Y/n" } else { "y/N" })?;
        Ok(match answer.to_lowercase().as_str() {
            "y" | "yes" => true,
            "n" | "no" => false,
            _ => default,
        })
    }

    /// Asks for what was detected; `choices` is what it becomes without an answer.
    ///
    /// # Errors
    /// As for [`Person::ask`].
    pub fn choose(&mut self, detected: &Detected, choices: Choices) -> io::Result<Choices> {
        let harness = self.ask(
            "Which files may sprag change? Globs, separated by commas.",
            &choices.harness.join(", "),
        )?;
        let runner = self.runner(&detected.runners, choices.runner.clone())?;
        let none = "none";
        let artifacts = if detected.artifacts.is_empty() {
            Vec::new()
        } else {
            let all = choices.artifacts.join(", ");
            let answer = self.ask(
                "Which workflow artifacts hold traces? Patterns of names, or `none`.",
                &all,
            )?;
            if answer == none { Vec::new() } else { globs(&answer) }
        };
        let workflows = if artifacts.is_empty() {
            Vec::new()
        } else {
            choices.workflows.clone()
        };
        Ok(Choices {
            harness: globs(&harness),
            runner,
            artifacts,
            workflows,
            ..choices
        })
    }

    fn runner(&mut self, runners: &[RunnerChoice], default: RunnerChoice) -> io::Result<RunnerChoice> {
        if runners.len() < 2 {
            return Ok(default);
        }
        writeln!(self.output, "How is your agent run?")?;
        for (number, runner) in (1..).zip(runners) {
            writeln!(self.output, "  {number}  {}", runner.title())?;
        }
        let answer = self.ask("Its number.", "1")?;
        let chosen = answer
            .parse::<usize>()
            .ok()
            .and_then(|number| runners.get(number.checked_sub(1)?));
        if chosen.is_none() {
            writeln!(self.output, "There is no `{answer}`; taking 1.")?;
        }
        Ok(chosen.cloned().unwrap_or(default))
    }
}

fn globs(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::TraceWorkflow;

    fn choices() -> Choices {
        Choices {
            harness: vec!["agent/**".to_owned()],
            runner: RunnerChoice::Worker(vec!["python3".to_owned(), "evals/worker.py".to_owned()]),
            github_models: false,
            labels: vec!["agent-failure".to_owned()],
            artifacts: vec!["traces-*".to_owned()],
            workflows: vec![TraceWorkflow {
                file: "nightly.yml".to_owned(),
                name: "Nightly".to_owned(),
            }],
        }
    }

    fn asked(answers: &str) -> (Choices, String) {
        let detected = Detected {
            runners: vec![choices().runner, RunnerChoice::Template],
            artifacts: vec!["traces-*".to_owned()],
            ..Detected::default()
        };
        let mut output = Vec::new();
        let mut person = Person {
            input: &mut answers.as_bytes(),
            output: &mut output,
        };
        let chosen = person.choose(&detected, choices()).unwrap();
        (chosen, String::from_utf8(output).unwrap())
    }

    #[test]
    fn enter_takes_what_was_detected() {
        let (chosen, seen) = asked("\n\n\n");
        assert_eq!(chosen, choices());
        insta::assert_snapshot!(seen, @r"
        Which files may sprag change? Globs, separated by commas. [agent/**] How is your agent run?
          1  the worker `python3 evals/worker.py`
          2  a new worker, evals/worker.py, for you to fill in
        Its number. [1] Which workflow artifacts hold traces? Patterns of names, or `none`. [traces-*]
        ");
        assert_eq!(asked("").0, choices(), "nobody there to answer is no answer");
    }

    #[test]
    fn an_answer_counts() {
        let (chosen, _) = asked("prompts/**, a/*.md ,\n2\nnone\n");
        let expected = Choices {
            harness: vec!["prompts/**".to_owned(), "a/*.md".to_owned()],
            runner: RunnerChoice::Template,
            artifacts: Vec::new(),
            workflows: Vec::new(),
            ..choices()
        };
        assert_eq!(chosen, expected);
    }

    #[test]
    fn a_number_that_is_not_there_is_said_and_the_first_taken() {
        for number in ["0", "3", "x"] {
            let (chosen, seen) = asked(&format!("\n{number}\n\n"));
            assert_eq!(chosen.runner, choices().runner);
            assert!(seen.contains(&format!("There is no `{number}`")), "{seen}");
        }
    }
}
