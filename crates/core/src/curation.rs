//! What becomes of new clusters and new cases: accepted, rejected, made part of another, or left until a person has said something.
//!
//! A model decides if there is one; without one, whatever is not refused is accepted. `[review]` can leave it to people. What a person has
//! decided stands for good; what a model has decided, until a person decides otherwise.

mod question;

pub use question::{About, ask, read};

use crate::cluster::{Author, Change, ClusterBook, ClusterState, Revision};
use crate::id::{CaseId, ClusterId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What is decided about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A cluster.
    Cluster(ClusterId),
    /// An eval case.
    Case(CaseId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(id) => id.fmt(f),
            Self::Case(id) => id.fmt(f),
        }
    }
}

/// What is to become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// It is worked on; a case may enter the pool.
    Accept,
    /// It is left alone.
    Reject,
    /// It is the same as another one of its kind.
    Merge(Subject),
    /// Only a person can say.
    NeedsPerson,
}

/// One decision, whose it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Curation {
    /// About what.
    pub of: Subject,
    /// What was decided.
    pub choice: Choice,
    /// By whom.
    pub by: Author,
    /// Why, in a sentence; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Who confirms what is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reviewer {
    /// The model, or nobody.
    #[default]
    Auto,
    /// A person.
    Human,
}

/// `[review]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who confirms new clusters. Default `auto`.
    #[serde(default)]
    pub clusters: Reviewer,
    /// Who confirms new eval cases. Default `auto`.
    #[serde(default)]
    pub cases: Reviewer,
}

impl Review {
    /// Whether nothing is left to people.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where something new stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It may be worked on.
    Accepted,
    /// It waits for a person; why, if a model said.
    Waits(&'a str),
    /// It is left alone; why, if anybody said.
    Rejected(&'a str),
}

impl<'a> Standing<'a> {
    /// Whether it may be worked on.
    pub fn is_accepted(self) -> bool {
        self == Self::Accepted
    }

    /// Why it waits for a person, if it does; may be empty.
    pub fn waits(self) -> Option<&'a str> {
        match self {
            Self::Waits(why) => Some(why),
            Self::Accepted | Self::Rejected(_) => None,
        }
    }
}

/// All decisions so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Curations(BTreeMap<Subject, Curation>);

impl Curations {
    /// Takes in a decision. A program's does not touch a person's.
    pub fn take(&mut self, curation: &Curation) {
        let stands = self.0.get(&curation.of);
        if curation.by == Author::Person || stands.is_none_or(|stands| stands.by != Author::Person) {
            self.0.insert(curation.of.clone(), curation.clone());
        }
    }

    /// Takes in that a person has accepted or rejected something.
    pub fn by_person(&mut self, of: Subject, accepted: bool, reason: &str) {
        let choice = if accepted { Choice::Accept } else { Choice::Reject };
        self.take(&Curation {
            of,
            choice,
            by: Author::Person,
            reason: reason.to_owned(),
        });
    }

    /// What was decided about one thing.
    pub fn of(&self, subject: &Subject) -> Option<&Curation> {
        self.0.get(subject)
    }

    /// All of them, for a later run.
    pub fn all(&self) -> Vec<Curation> {
        self.0.values().cloned().collect()
    }

    /// Unresolved clusters, by rank, that nobody has decided about and that no pull request waits for: what a model can be asked about.
    pub fn undecided<'a>(&self, book: &'a ClusterBook) -> Vec<&'a ClusterId> {
        let ranked = book.ranked().into_iter().map(|(_, cluster)| cluster);
        let free = ranked.filter(|cluster| {
            let decided = self.of(&Subject::Cluster(cluster.id.clone())).is_some();
            !decided && !book.is_decided(&cluster.id) && cluster.state != ClusterState::InProgress
        });
        free.map(|cluster| &cluster.id).collect()
    }

    /// Where a cluster stands. What a person said of one that has become part of it holds for it, too, unless a person said something of it.
    pub fn cluster(&self, review: Review, book: &ClusterBook, cluster: &ClusterId) -> Standing<'_> {
        let became = |curation: &&Curation| match &curation.of {
            Subject::Cluster(id) => curation.by == Author::Person && book.current(id) == *cluster,
            Subject::Case(_) => false,
        };
        let own = self.of(&Subject::Cluster(cluster.clone()));
        let decided = own.filter(|own| own.by == Author::Person);
        let decided = decided.or_else(|| self.0.values().find(became)).or(own);
        standing(review.clusters, decided)
    }

    /// Where a case stands.
    pub fn case(&self, review: Review, case: &CaseId) -> Standing<'_> {
        standing(review.cases, self.of(&Subject::Case(case.clone())))
    }
}

/// How decisions change clusters. Where people decide, a model's word is advice, and merges nothing.
pub fn merges(review: Review, curations: &[Curation]) -> Vec<Revision> {
    let counts = |curation: &&Curation| review.clusters == Reviewer::Auto || curation.by == Author::Person;
    let merge = |curation: &Curation| match (&curation.of, &curation.choice) {
        (Subject::Cluster(from), Choice::Merge(Subject::Cluster(into))) => Some(Revision {
            change: Change::Merge {
                into: into.clone(),
                from: from.clone(),
            },
            by: curation.by,
            reason: curation.reason.clone(),
        }),
        _ => None,
    };
    curations.iter().filter(counts).filter_map(merge).collect()
}

fn standing(reviewer: Reviewer, decided: Option<&Curation>) -> Standing<'_> {
    let why = decided.map_or("", |decided| &decided.reason);
    let by_person = decided.is_some_and(|decided| decided.by == Author::Person);
    match decided.map(|decided| &decided.choice) {
        Some(Choice::Reject) if by_person || reviewer == Reviewer::Auto => Standing::Rejected(why),
        Some(Choice::NeedsPerson) => Standing::Waits(why),
        _ if reviewer == Reviewer::Human && !by_person => Standing::Waits(why),
        _ => Standing::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curation(choice: Choice, by: Author) -> Curation {
        Curation {
            of: Subject::Cluster(ClusterId::new("c-1")),
            choice,
            by,
            reason: "because".to_owned(),
        }
    }

    fn stands(reviewer: Reviewer, decisions: &[(Choice, Author)]) -> String {
        let mut curations = Curations::default();
        for (choice, by) in decisions {
            curations.take(&curation(choice.clone(), *by));
        }
        let review = Review {
            clusters: reviewer,
            ..Review::default()
        };
        let standing = curations.cluster(review, &ClusterBook::default(), &ClusterId::new("c-1"));
        format!("{standing:?}")
    }

    #[test]
    fn people_outweigh_models_and_models_outweigh_nobody() {
        use Author::{Model, Person};
        use Choice::{Accept, NeedsPerson, Reject};
        for (reviewer, decisions, standing) in [
            (Reviewer::Auto, vec![], "Accepted"),
            (Reviewer::Auto, vec![(Accept, Model)], "Accepted"),
            (Reviewer::Auto, vec![(Reject, Model)], "Rejected(\"because\")"),
            (Reviewer::Auto, vec![(NeedsPerson, Model)], "Waits(\"because\")"),
            (Reviewer::Auto, vec![(NeedsPerson, Model), (Accept, Person)], "Accepted"),
            (
                Reviewer::Auto,
                vec![(Reject, Person), (Accept, Model)],
                "Rejected(\"because\")",
            ),
            (Reviewer::Human, vec![], "Waits(\"\")"),
            (Reviewer::Human, vec![(Accept, Model)], "Waits(\"because\")"),
            (Reviewer::Human, vec![(Reject, Model)], "Waits(\"because\")"),
            (Reviewer::Human, vec![(Accept, Person)], "Accepted"),
            (Reviewer::Human, vec![(Reject, Person)], "Rejected(\"because\")"),
        ] {
            assert_eq!(stands(reviewer, &decisions), standing, "{reviewer:?} {decisions:?}");
        }
    }

    #[test]
    fn a_decision_read_back_is_the_same() {
        let merged = Curation {
            choice: Choice::Merge(Subject::Case(CaseId::new("case-1"))),
            ..curation(Choice::Accept, Author::Model)
        };
        let text = serde_json::to_string(&merged).unwrap();
        assert_eq!(
            text,
            r#"{"of":{"cluster":"c-1"},"choice":{"merge":{"case":"case-1"}},"by":"model","reason":"because"}"#
        );
        assert_eq!(serde_json::from_str::<Curation>(&text).unwrap(), merged);
    }
}
