//! Everything a person reads of sprag's results: pure functions from plain view data to text.
//!
//! | module | writes |
//! |---|---|
//! | [`pull`] | the pull request of an accepted change |
//! | [`check`] | its two check runs |
//! | [`mod@evidence`] | what speaks for a verdict |
//! | [`comment`] | the one comment sprag keeps on an issue |
//! | [`report`] | the self-contained HTML report of a run, with the charts of [`svg`] |
//! | [`text`] | what the terminal shows |
//! | [`tsv`] | `results.tsv` |
//! | [`mod@learnings`] | `.sprag/learnings.md` |
//! | [`waiting`] | what waits for a person |
//! | [`mod@bench`] | the table of a benchmark |
//! | [`safety`] | the page of promises and what became of them |
//! | [`app`] | the two pages of `sprag app create` |
//!
//! The views are in [`view`]. Text that comes from issues, traces, tools or models is data: it passes through [`markdown`]
//! (or the autoescape of the HTML template) before it stands in anything published. No function here names a held-out task:
//! of the validation set only counts are read.

pub mod app;
pub mod bench;
pub mod check;
pub mod comment;
pub mod dashboard;
pub mod evidence;
#[cfg(test)]
mod fixtures;
pub mod labels;
pub mod learnings;
pub mod listing;
pub mod markdown;
pub mod plan;
pub mod pull;
pub mod reply;
pub mod report;
pub mod revert;
pub mod safety;
pub mod sealed;
pub mod suite;
pub mod summary;
pub mod svg;
pub mod text;
pub mod tsv;
pub mod view;
pub mod waiting;
mod words;
