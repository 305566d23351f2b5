//! `sprag gate-agent`: a gate on stdin and stdout, for simulators and benchmarks that play against it.

mod protocol;

use crate::error::{CommandError, Exit};
use protocol::{Answer, Decision, Event, VERSION};
use sprag_core::candidate::Verdict;
use sprag_core::config::{GateConfig, GateMode};
use sprag_core::gate;
use sprag_core::gate::purchase::{Arm, Ask, Outcome, Promotion, Proposal, Purpose, Request, Seen, Task};
use sprag_core::gate::sequential::Sequential;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

/// Plays a gate over JSON Lines: reads events on stdin, asks for runs and decides on stdout.
///
/// `docs/gates.md` describes the protocol.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Args {
    /// How the gate decides
    #[arg(long, value_enum, default_value_t = Mode::Efficient)]
    mode: Mode,
    /// `assured`: the rate of false acceptances
    #[arg(long, default_value_t = 0.05, value_name = "RATE", value_parser = rate)]
    alpha: f64,
    /// `assured`: how much worse a candidate may be, as a part of 1; with 0 it must be better
    #[arg(long, default_value_t = 0.0, value_name = "SCORE", value_parser = margin)]
    margin: f64,
}

/// How a gate decides.
#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum Mode {
    /// By what is expected to be better
    Efficient,
    /// By proof
    Assured,
    /// By the literal rule of the public experiment
    Strict,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate < 1.0 => Ok(rate),
        _ => Err("a number above 0 and below 1, such as 0.05".to_owned()),
    }
}

fn margin(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(margin) if (0.0..0.9).contains(&margin) => Ok(margin),
        _ => Err("a number from 0 and below 0.9, such as 0.02".to_owned()),
    }
}

pub(super) fn serve(args: Args) -> Result<ExitCode, CommandError> {
    play(args, io::stdin().lock(), io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

/// Plays until the input ends or says `quit`.
fn play(args: Args, input: impl BufRead, mut output: impl Write) -> Result<(), CommandError> {
    let mut world: Option<World> = None;
    for (number, line) in (1_u64..).zip(input.lines()) {
        let line = line?;
        let wrong = |what: String| {
            CommandError::new(
                Exit::Outside,
                format!("line {number} of the input: {what}"),
                "docs/gates.md has the protocol; the simulator must wait for each answer",
            )
        };
        let event: Event = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let answer = match event {
            Event::Quit => return Ok(()),
            Event::Hello { .. } => world
                .insert(World::new(args, event).map_err(wrong)?)
                .answer()
                .map_err(wrong)?,
            event => match &mut world {
                Some(world) => world.take(event).map_err(wrong)?,
                None => return Err(wrong("the first event must be `hello`".to_owned())),
            },
        };
        if let Some(answer) = answer {
            let text = serde_json::to_string(&answer).map_err(|error| wrong(error.to_string()))?;
            writeln!(output, "{text}")?;
            output.flush()?;
        }
    }
    Ok(())
}

/// One world, from its `hello` on.
struct World {
    player: Sequential,
    validation: Vec<Task>,
    incumbent: String,
    candidate: String,
}

impl World {
    fn new(args: Args, hello: Event) -> Result<Self, String> {
        let Event::Hello {
            proto,
            val,
            threshold,
            baseline,
            seed,
        } = hello
        else {
            return Err("the first event must be `hello`".to_owned());
        };
        if proto != VERSION {
            return Err(format!("version {proto} of the protocol is not known, only {VERSION}"));
        }
        let tasks = u32::try_from(val.len()).map_err(|_too_many| "too many validation tasks".to_owned())?;
        let config = GateConfig {
            mode: match args.mode {
                Mode::Efficient => GateMode::Efficient,
                Mode::Assured => GateMode::Assured,
                Mode::Strict => GateMode::Strict,
            },
            alpha: args.alpha,
            margin: args.margin,
            regression_threshold: threshold,
            ..GateConfig::default()
        };
        Ok(Self {
            player: Sequential::new(gate::policy(&config, seed), tasks),
            validation: val,
            candidate: baseline.clone(),
            incumbent: baseline,
        })
    }

    fn take(&mut self, event: Event) -> Result<Option<Answer>, String> {
        let waiting = match self.player.ask() {
            Ask::Run(request) => Some(request.tasks.len()),
            _ => None,
        };
        match (event, waiting) {
            (Event::Result { pass }, Some(wanted)) if pass.len() == wanted => {
                let outcomes: Vec<Outcome> = pass.into_iter().map(outcome).collect();
                self.player.take(&outcomes);
            }
            (Event::Result { pass }, Some(wanted)) => {
                return Err(format!("{wanted} runs were asked for, {} results came", pass.len()));
            }
            (Event::Result { .. }, None) => return Err("a result came, but no run was asked for".to_owned()),
            (Event::Budget, _) => {
                self.player.stop();
                return Ok(None);
            }
            (_, Some(_)) => return Err("runs were asked for: `result` or `budget` must come next".to_owned()),
            (Event::Batch { incumbent, traffic }, None) => {
                self.incumbent = incumbent;
                let seen = traffic.into_iter().map(|(task, passed, cluster)| Seen {
                    task,
                    passed: passed != 0,
                    clusters: cluster.into_iter().collect(),
                });
                self.player.traffic(&seen.collect::<Vec<_>>());
            }
            (
                Event::Candidate {
                    id,
                    cluster,
                    visible,
                    hidden,
                    share,
                },
                None,
            ) => {
                self.candidate = id;
                self.player.candidate(Proposal {
                    cluster: Some(cluster),
                    visible,
                    hidden,
                    share,
                    ..Proposal::default()
                });
            }
            (Event::Accepted { id }, None) => {
                self.incumbent = id;
                self.player.kept();
            }
            (Event::End, None) => {
                let (claimed, suite) = (self.player.level(), self.player.suite());
                return Ok(Some(Answer::Bye { claimed, suite }));
            }
            (Event::Hello { .. } | Event::Quit, None) => return Ok(None),
        }
        self.answer()
    }

    fn answer(&self) -> Result<Option<Answer>, String> {
        let claimed = self.player.level();
        Ok(Some(match self.player.ask() {
            Ask::Run(request) => self.run(request)?,
            Ask::Ready => Answer::Ready {
                claimed,
                resolved: None,
                promoted: None,
                suite: None,
            },
            Ask::Promote(Promotion { resolved, promoted, .. }) => Answer::Ready {
                claimed,
                resolved: Some(resolved.clone()),
                promoted: Some(promoted.clone()),
                suite: Some(self.player.suite()),
            },
            Ask::Decide(judgement) => {
                let evidence = judgement.evidence.clone();
                let decision = Decision {
                    claimed,
                    val_score: evidence.val_score,
                    best_seen: evidence.level_now,
                    regression_score: evidence.regression_score,
                    verdict: judgement.verdict().to_string(),
                    reason: judgement.reason.clone(),
                    evidence,
                };
                match judgement.verdict() {
                    Verdict::Accepted => Answer::Accept(decision),
                    _ => Answer::Reject(decision),
                }
            }
        }))
    }

    fn run(&self, request: &Request) -> Result<Answer, String> {
        let kind = match (request.purpose, request.arm) {
            (Purpose::Baseline | Purpose::Validation, Arm::Incumbent) => "inc_val",
            (Purpose::Baseline | Purpose::Validation, Arm::Candidate) => "val",
            (Purpose::Reproduce | Purpose::Probe, _) => "probe",
            (Purpose::Suite, Arm::Candidate) => "suite",
            (Purpose::Suite, Arm::Incumbent) => "other",
            (Purpose::Promotion, _) => "promo",
        };
        let name = |task: &Task| {
            let at = usize::try_from(*task).ok();
            at.and_then(|at| self.validation.get(at)).copied()
        };
        let cases = match kind {
            "val" | "inc_val" => request.tasks.iter().map(name).collect::<Option<_>>(),
            _ => Some(request.tasks.clone()),
        };
        Ok(Answer::Run {
            harness: match request.arm {
                Arm::Incumbent => self.incumbent.clone(),
                Arm::Candidate => self.candidate.clone(),
            },
            kind,
            cases: cases.ok_or("the gate asked for a validation task that does not exist")?,
        })
    }
}

fn outcome(pass: Option<u8>) -> Outcome {
    match pass {
        None => Outcome::Errored,
        Some(0) => Outcome::Failed,
        Some(_) => Outcome::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"ev":"hello","proto":1,"seed":1,"n_val":2,"val":[7,8],"threshold":0.8,"budget":null,"prop_cost":0,"baseline":"h0"}"#;

    fn args(mode: Mode) -> Args {
        Args {
            mode,
            alpha: 0.05,
            margin: 0.0,
        }
    }

    fn play_lines(mode: Mode, lines: &[&str]) -> Result<Vec<String>, String> {
        let mut output = Vec::new();
        play(args(mode), lines.join("\n").as_bytes(), &mut output).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(output).unwrap().lines().map(str::to_owned).collect())
    }

    #[test]
    fn every_mode_measures_the_incumbent_by_the_names_of_the_world_and_says_what_it_claims() {
        for mode in [Mode::Efficient, Mode::Assured, Mode::Strict] {
            let said = play_lines(
                mode,
                &[HELLO, r#"{"ev":"result","pass":[1,0],"spent":2}"#, r#"{"ev":"end"}"#],
            )
            .unwrap();
            assert_eq!(said[0], r#"{"op":"run","harness":"h0","kind":"inc_val","cases":[7,8]}"#);
            assert_eq!(said[1], r#"{"op":"ready","claimed":0.5}"#, "{mode:?}");
            assert_eq!(said[2], r#"{"op":"bye","claimed":0.5,"suite":[]}"#);
        }
    }

    #[test]
    fn the_literal_rule_is_played_to_the_letter() {
        let candidate = r#"{"ev":"candidate","id":"c0","parent":"h0","cluster":3,"visible":[20],"hidden":[21],"share":0.2,"spent":0}"#;
        let result = |pass: &str| format!(r#"{{"ev":"result","pass":{pass},"spent":0}}"#);
        let said = play_lines(
            Mode::Strict,
            &[
                HELLO,
                &result("[1,0]"),
                candidate,
                &result("[1,0]"),
                &result("[0,1]"),
                r#"{"ev":"accepted","id":"c0","spent":0}"#,
                &result("[1,0,1,1]"),
            ],
        )
        .unwrap();
        assert_eq!(said[2], r#"{"op":"run","harness":"c0","kind":"probe","cases":[21,20]}"#);
        assert_eq!(said[3], r#"{"op":"run","harness":"c0","kind":"val","cases":[7,8]}"#);
        assert!(
            said[4].starts_with(r#"{"op":"accept","claimed":0.5,"val_score":0.5,"best_seen":0.5,"#),
            "{}",
            said[4]
        );
        assert_eq!(
            said[5],
            r#"{"op":"run","harness":"c0","kind":"promo","cases":[21,20,21,20]}"#
        );
        assert_eq!(
            said[6],
            r#"{"op":"ready","claimed":0.5,"resolved":[21],"promoted":[21],"suite":[21]}"#
        );
    }

    #[test]
    fn no_money_ends_what_was_under_way_and_the_gate_goes_on() {
        let batch = r#"{"ev":"batch","n":0,"incumbent":"h0","traffic":[[20,0,3],[21,1,null]],"spent":0}"#;
        let lines = [
            HELLO,
            r#"{"ev":"result","pass":[1,null]}"#,
            batch,
            r#"{"ev":"budget","spent":9}"#,
            r#"{"ev":"end"}"#,
        ];
        let said = play_lines(Mode::Efficient, &lines).unwrap();
        // The run without a verdict is not asked for again: what it would have told stays unknown.
        assert_eq!(said.len(), 4);
        assert_eq!(said[2], r#"{"op":"run","harness":"h0","kind":"probe","cases":[20]}"#);
        assert!(said[3].starts_with(r#"{"op":"bye","claimed":0."#), "{}", said[3]);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_line() {
        let wrong = [
            (&["nonsense"][..], "line 1"),
            (&[r#"{"ev":"end"}"#], "the first event must be `hello`"),
            (&[r#"{"ev":"hello","proto":2,"val":[],"baseline":"h0"}"#], "version 2"),
            (
                &[HELLO, r#"{"ev":"result","pass":[1]}"#],
                "2 runs were asked for, 1 results came",
            ),
            (&[HELLO, r#"{"ev":"end"}"#], "`result` or `budget` must come next"),
            (
                &[
                    HELLO,
                    r#"{"ev":"result","pass":[1,1]}"#,
                    r#"{"ev":"result","pass":[1,1]}"#,
                ],
                "line 3 of the input: a result came",
            ),
        ];
        for (lines, part) in wrong {
            let error = play_lines(Mode::Efficient, lines).unwrap_err();
            assert!(error.contains(part) && error.contains("hint:"), "{error}");
        }
    }
}
