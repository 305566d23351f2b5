//! Newtypes for every id, so that a task can never be passed where a cluster is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text of an id.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// One thing that the runner can make the agent do and score. Opaque: nothing may be read out of its text.
    TaskId,
    /// One failed trace, triaged.
    RecordId,
    /// A cluster, for life.
    ClusterId,
    /// An eval case.
    CaseId,
    /// A candidate: the hash of its edit.
    CandidateId,
    /// An experiment: `E001`, `E002`, … in the order of the run.
    ExperimentId,
    /// A harness: the hash of its files.
    HarnessId,
    /// A recorded run: the hash of everything that determines it.
    RunKey,
    /// A run of the loop.
    RunId,
}
