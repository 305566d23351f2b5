//! The frontier: changes that solved cases and were not kept, by the cases they solve, and what is made of them and of kept ones.

use super::merge;
use crate::candidate::Candidate;
use crate::gate::stats::draw;
use crate::harness::Harness;
use crate::hash;
use crate::id::{CandidateId, ClusterId, ExperimentId, HarnessId, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// Changes that are remembered, the latest.
const MEMBERS: usize = 32;

/// A change that solved something.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The change, as it was made for its parent.
    pub candidate: Candidate,
    /// The train tasks that passed with it.
    pub solves: BTreeSet<TaskId>,
    /// Whether it was measured, and fell: then it is no change to try alone, and may be a part of one.
    pub fell: bool,
}

/// The frontier of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frontier {
    members: Vec<Member>,
}

/// What a draft is made of.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Every harness that was incumbent.
    pub lineage: &'a BTreeMap<HarnessId, Harness>,
    /// The incumbent.
    pub incumbent: &'a Harness,
    /// Edits that were tried.
    pub tried: &'a BTreeSet<CandidateId>,
    /// Decides what is drawn.
    pub seed: u64,
}

impl Frontier {
    /// Remembers a change.
    pub fn keep(&mut self, candidate: Candidate, solves: impl IntoIterator<Item = TaskId>, fell: bool) {
        let solves: BTreeSet<TaskId> = solves.into_iter().collect();
        if solves.is_empty() {
            return;
        }
        self.forget(&candidate.id);
        self.members.push(Member {
            candidate,
            solves,
            fell,
        });
        let over = self.members.len().saturating_sub(MEMBERS);
        self.members.drain(..over);
    }

    fn forget(&mut self, id: &CandidateId) {
        self.members.retain(|member| member.candidate.id != *id);
    }

    /// Takes in that a change made of members has fallen: one alone is not tried alone again; two together leave both as they were.
    pub fn fell(&mut self, candidate: &Candidate) {
        if let [alone] = parts(candidate).as_slice() {
            let member = self.members.iter_mut().find(|member| member.candidate.id == *alone);
            member.into_iter().for_each(|member| member.fell = true);
        }
    }

    /// Forgets what a kept change was made of.
    pub fn kept(&mut self, candidate: &Candidate) {
        self.forget(&candidate.id);
        parts(candidate).iter().for_each(|part| self.forget(part));
    }

    /// The members, the oldest first.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A change for a cluster out of what is remembered: a member is drawn, by the number of open tasks that it alone solves; if another
    /// one solves more of the cluster's tasks beside it and the two fit together, both as one. `own` are the open tasks of the cluster, `open` those
    /// of all.
    pub fn draft(
        &self,
        ground: Ground<'_>,
        cluster: &ClusterId,
        own: &BTreeSet<TaskId>,
        open: &BTreeSet<TaskId>,
    ) -> Option<Candidate> {
        let on_ground: Vec<(&Member, Harness)> = self
            .members
            .iter()
            .filter_map(|member| Some((member, carried(ground, &member.candidate, ground.incumbent)?)))
            .collect();
        let mut may: Vec<(u32, Candidate)> = Vec::new();
        for (member, harness) in &on_ground {
            if member.solves.is_disjoint(own) {
                continue;
            }
            let beside = on_ground
                .iter()
                .filter(|(other, _)| other.candidate.id != member.candidate.id)
                .filter_map(|(other, _)| {
                    Some((
                        more(other, member, own),
                        other,
                        carried(ground, &other.candidate, harness)?,
                    ))
                })
                .filter(|(more, ..)| *more > 0)
                .max_by_key(|(more, ..)| *more);
            let alone = (!member.fell).then(|| written(ground, cluster, &[member], harness));
            let together = beside.map(|(_, other, harness)| written(ground, cluster, &[member, other], &harness));
            let Some(candidate) = together
                .into_iter()
                .chain(alone)
                .find(|made| !ground.tried.contains(&made.id))
            else {
                continue;
            };
            may.push((1 + self.alone(member, open), candidate));
        }
        let total = may.iter().map(|(weight, _)| weight).sum();
        let mut drawn = draw(ground.seed, ground.tried.len() as u64, total);
        for (weight, candidate) in may {
            if drawn < weight {
                return Some(candidate);
            }
            drawn -= weight;
        }
        None
    }

    /// How many open tasks a member alone solves.
    fn alone(&self, member: &Member, open: &BTreeSet<TaskId>) -> u32 {
        let others = || {
            self.members
                .iter()
                .filter(|other| other.candidate.id != member.candidate.id)
        };
        let alone = |task: &&TaskId| open.contains(*task) && others().all(|other| !other.solves.contains(*task));
        count(member.solves.iter().filter(alone).count())
    }
}

/// A kept change taken out of the incumbent; `after` is the harness that it had made.
pub fn without(ground: Ground<'_>, kept: &Candidate, cluster: &ClusterId) -> Option<Candidate> {
    let before = ground.lineage.get(&kept.parent)?;
    let harness = merge::harness(&before.with(&kept.changes), before, ground.incumbent)?;
    Some(Candidate {
        removes: None,
        id: CandidateId::new(&hash::of(&("without", &kept.id, ground.incumbent.id()))[..12]),
        cluster: cluster.clone(),
        parent: ground.incumbent.id(),
        title: format!("Take out again: {}", kept.title),
        hypothesis: "The change was kept for another cluster. Without it, failing cases of this one pass.".to_owned(),
        changes: ground.incumbent.changes_to(&harness),
        diff: ground.incumbent.diff(&harness),
        predicted: Vec::new(),
        origin: format!("search: without {}", kept.id),
    })
}

/// The same, because nothing needs the change any more.
pub fn removal(ground: Ground<'_>, experiment: &ExperimentId, kept: &Candidate) -> Option<Candidate> {
    let made = without(ground, kept, &kept.cluster)?;
    Some(Candidate {
        id: CandidateId::new(&hash::of(&("remove", &kept.id, ground.incumbent.id()))[..12]),
        title: format!("Remove what {experiment} added: {}", kept.title),
        hypothesis:
            "Without it, the cases that it had fixed and the regression suite still pass: it no longer earns its place."
                .to_owned(),
        origin: format!("search: prune {experiment}"),
        removes: Some(experiment.clone()),
        ..made
    })
}

/// A change carried over to another harness than its parent.
fn carried(ground: Ground<'_>, candidate: &Candidate, onto: &Harness) -> Option<Harness> {
    let parent = ground.lineage.get(&candidate.parent)?;
    merge::harness(parent, &parent.with(&candidate.changes), onto)
}

/// Those of some tasks that `other` solves and `member` does not.
fn more(other: &Member, member: &Member, of: &BTreeSet<TaskId>) -> usize {
    let new = other.solves.difference(&member.solves);
    new.filter(|task| of.contains(*task)).count()
}

/// How the origin of a change begins that was made of members.
const ORIGIN: &str = "search: frontier, ";
/// What stands between them.
const AND: &str = " + ";

/// Whether a change was made of members.
pub fn is_of_members(candidate: &Candidate) -> bool {
    candidate.origin.starts_with(ORIGIN)
}

/// The members that a change was made of; none for one that somebody else has made.
fn parts(candidate: &Candidate) -> Vec<CandidateId> {
    let names = candidate.origin.strip_prefix(ORIGIN);
    names
        .into_iter()
        .flat_map(|names| names.split(AND))
        .map(CandidateId::new)
        .collect()
}

fn written(ground: Ground<'_>, cluster: &ClusterId, of: &[&Member], harness: &Harness) -> Candidate {
    let ids: BTreeSet<&CandidateId> = of.iter().map(|member| &member.candidate.id).collect();
    let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    let titles: Vec<&str> = of.iter().map(|member| member.candidate.title.as_str()).collect();
    let hypotheses: Vec<&str> = of.iter().map(|member| member.candidate.hypothesis.as_str()).collect();
    let predicted: BTreeSet<&TaskId> = of.iter().flat_map(|member| &member.solves).collect();
    // What was drafted for this very harness is still that change.
    let same = of.len() == 1 && of[0].candidate.parent == ground.incumbent.id();
    let id = match same {
        true => hash::of(&("again", &ids)),
        false => hash::of(&("carried", &ids, ground.incumbent.id())),
    };
    Candidate {
        removes: None,
        id: CandidateId::new(&id[..12]),
        cluster: cluster.clone(),
        parent: ground.incumbent.id(),
        title: titles.join("; and "),
        hypothesis: hypotheses.join(" "),
        changes: ground.incumbent.changes_to(harness),
        diff: ground.incumbent.diff(harness),
        predicted: predicted.into_iter().cloned().collect(),
        origin: format!("{ORIGIN}{}", names.join(AND)),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::FileChange;

    struct World {
        lineage: BTreeMap<HarnessId, Harness>,
        incumbent: Harness,
        tried: BTreeSet<CandidateId>,
    }

    impl World {
        fn new(text: &str) -> Self {
            let incumbent = of(text);
            Self {
                lineage: BTreeMap::from([(incumbent.id(), incumbent.clone())]),
                incumbent,
                tried: BTreeSet::new(),
            }
        }

        fn ground(&self) -> Ground<'_> {
            Ground {
                lineage: &self.lineage,
                incumbent: &self.incumbent,
                tried: &self.tried,
                seed: 1,
            }
        }

        fn becomes(&mut self, text: &str) {
            self.incumbent = of(text);
            self.lineage.insert(self.incumbent.id(), self.incumbent.clone());
        }
    }

    fn of(text: &str) -> Harness {
        Harness::new([("p".to_owned(), text.to_owned())])
    }

    fn candidate(id: &str, parent: &Harness, text: &str) -> Candidate {
        Candidate {
            title: id.to_owned(),
            changes: vec![FileChange {
                path: "p".to_owned(),
                text: Some(text.to_owned()),
            }],
            ..crate::candidate::tests::candidate(id, "c", parent.id())
        }
    }

    fn tasks(names: &[&str]) -> BTreeSet<TaskId> {
        names.iter().map(|name| TaskId::new(*name)).collect()
    }

    fn text_of(world: &World, candidate: &Candidate) -> String {
        world.incumbent.with(&candidate.changes).get("p").unwrap().to_owned()
    }

    #[test]
    fn two_changes_that_solve_different_tasks_are_tried_as_one_on_the_harness_of_today() {
        let mut world = World::new("a\n");
        let mut frontier = Frontier::default();
        frontier.keep(candidate("x", &world.incumbent, "a\nx\n"), tasks(&["1"]), false);
        frontier.keep(candidate("y", &world.incumbent, "a\ny\n"), tasks(&["2"]), false);
        frontier.keep(candidate("z", &world.incumbent, "a\nz\n"), tasks(&[]), false);
        world.becomes("new\na\n");
        let (own, open) = (tasks(&["1", "2"]), tasks(&["1", "2"]));
        let cluster = ClusterId::new("c");
        let one = frontier.draft(world.ground(), &cluster, &tasks(&["1"]), &open).unwrap();
        assert_eq!(
            text_of(&world, &one),
            "new\na\nx\n",
            "what is of no use to the cluster is left out"
        );
        let made = frontier.draft(world.ground(), &cluster, &own, &open).unwrap();
        assert_eq!(text_of(&world, &made), "new\na\nx\ny\n");
        assert_eq!(
            (made.title.as_str(), made.parent.clone()),
            ("x; and y", world.incumbent.id())
        );
        world.tried.insert(made.id.clone());
        let mut alone = Vec::new();
        for _ in 0..2 {
            let one = frontier.draft(world.ground(), &cluster, &own, &open).unwrap();
            alone.push(text_of(&world, &one));
            world.tried.insert(one.id);
        }
        alone.sort();
        assert_eq!(alone, ["new\na\nx\n", "new\na\ny\n"], "then each alone");
        assert_eq!(
            frontier.draft(world.ground(), &cluster, &own, &open),
            None,
            "each once a harness"
        );
        assert_eq!(frontier.draft(world.ground(), &cluster, &tasks(&["3"]), &open), None);
    }

    #[test]
    fn what_fell_alone_is_used_only_together_and_what_was_kept_is_gone_with_its_parts() {
        let mut world = World::new("a\n");
        let mut frontier = Frontier::default();
        frontier.keep(candidate("x", &world.incumbent, "a\nx\n"), tasks(&["1"]), false);
        let (own, cluster) = (tasks(&["1", "2"]), ClusterId::new("c"));
        let alone = frontier.draft(world.ground(), &cluster, &own, &own).unwrap();
        frontier.fell(&alone);
        world.becomes("b\na\n");
        assert_eq!(
            frontier.draft(world.ground(), &cluster, &own, &own),
            None,
            "not again, on any harness"
        );
        frontier.keep(candidate("y", &world.incumbent, "b\na\ny\n"), tasks(&["2"]), true);
        let both = frontier.draft(world.ground(), &cluster, &own, &own).unwrap();
        assert_eq!(text_of(&world, &both), "b\na\nx\ny\n");
        frontier.fell(&both);
        assert_eq!(frontier.members().len(), 2, "two that fell are no third");
        frontier.kept(&both);
        assert_eq!(frontier.members(), []);
    }

    #[test]
    fn who_alone_solves_most_is_drawn_most() {
        let world = World::new("a\n");
        let mut frontier = Frontier::default();
        frontier.keep(
            candidate("x", &world.incumbent, "x\n"),
            tasks(&["1", "2", "3", "4"]),
            false,
        );
        frontier.keep(candidate("y", &world.incumbent, "y\n"), tasks(&["1"]), false);
        let open = tasks(&["1", "2", "3", "4"]);
        let drawn = |seed| {
            let ground = Ground { seed, ..world.ground() };
            frontier
                .draft(ground, &ClusterId::new("c"), &open, &open)
                .unwrap()
                .title
        };
        let x = (0..200).filter(|seed| drawn(*seed) == "x").count();
        assert!((130..190).contains(&x), "four in five: {x} of 200");
        assert_eq!(drawn(7), drawn(7));
    }

    #[test]
    fn a_kept_change_is_taken_out_and_what_came_after_it_stays() {
        let mut world = World::new("a\n");
        let kept = candidate("x", &world.incumbent, "a\nx\n");
        world.becomes("a\nx\n");
        world.becomes("a\nx\ny\n");
        let made = without(world.ground(), &kept, &ClusterId::new("d")).unwrap();
        assert_eq!(text_of(&world, &made), "a\ny\n");
        world.becomes("a\nchanged\ny\n");
        assert_eq!(
            without(world.ground(), &kept, &ClusterId::new("d")),
            None,
            "it was changed since"
        );
    }
}
