//! The tasks: tickets that combine one to three problems, each with a customer and ids of its own. Built from tables, the same every time.

mod draft;
mod problems;

use super::shop::Shop;
use draft::Draft;
use problems::Problem::{self, *};
use sprag_core::hash;
use sprag_core::trace::Expected;
use sprag_core::trial::Split;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One ticket, what is behind it in the shop, and what should come of it.
#[derive(Debug)]
pub(super) struct Task {
    /// Opaque: it says nothing about the problems.
    pub(super) id: String,
    pub(super) split: Split,
    /// What the customer wrote.
    pub(super) ticket: String,
    /// Rows added to the database before the run.
    pub(super) rows: Shop,
    /// What should be done and told.
    pub(super) expected: Expected,
}

/// Every task, train first.
pub(super) fn all() -> &'static [Task] {
    static TASKS: LazyLock<Vec<Task>> = LazyLock::new(|| {
        let train = build(Split::Train, TRAIN, 0, 0);
        let validation = build(Split::Validation, VALIDATION, TRAIN.len(), 2);
        train.into_iter().chain(validation).collect()
    });
    &TASKS
}

/// The task of this id.
pub(super) fn find(id: &str) -> Option<&'static Task> {
    all().iter().find(|task| task.id == id)
}

/// The problems of each train ticket.
const TRAIN: &[&[Problem]] = &[
    &[Lost],
    &[ReturnArrived],
    &[Locked, VoucherExpired, InTransit],
    &[VeryLate],
    &[Damaged],
    &[PausedByUs],
    &[InTransit, CardExpired],
    &[VoucherLost],
    &[Cancel],
    &[VeryLate, ChargedTwice],
    &[Lost, VoucherExpired],
    &[InTransit],
    &[BadAddress],
    &[Lost, Locked],
    &[Customs],
    &[ChargedTwice],
    &[CardExpired],
    &[LostSoldOut],
    &[Damaged, VoucherExpired],
    &[UnderReview, Lost],
    &[Damaged, Locked],
    &[PausedByUs, InTransit],
    &[Locked],
    &[BadAddress, VoucherLost],
    &[Cancel],
    &[Damaged, CardExpired, VoucherExpired],
    &[UnderReview, Locked],
    &[Customs],
    &[VoucherExpired],
    &[LostSoldOut, PausedByUs, ChargedTwice],
    &[Cancel, Locked],
    &[VeryLate, PausedByUs],
    &[Lost, CardExpired],
    &[ReturnArrived, Locked],
    &[UnderReview, Damaged],
    &[Lost, VoucherExpired],
    &[BadAddress],
    &[ReturnArrived, VoucherLost],
    &[LostSoldOut, Locked],
    &[Cancel, VoucherExpired],
];

/// The problems of each validation ticket.
const VALIDATION: &[&[Problem]] = &[
    &[Lost],
    &[VeryLate],
    &[Damaged, Locked],
    &[ReturnArrived],
    &[VoucherExpired],
    &[PausedByUs],
    &[InTransit],
    &[VoucherLost, Lost],
    &[CardExpired, Locked],
    &[BadAddress],
    &[Cancel],
    &[LostSoldOut],
    &[Customs],
    &[Locked],
    &[UnderReview, Locked],
    &[ChargedTwice],
    &[InTransit, VoucherExpired, CardExpired],
    &[VeryLate, VoucherLost],
    &[Damaged],
    &[ReturnArrived, PausedByUs],
    &[Cancel],
    &[Lost, CardExpired],
    &[BadAddress, Locked],
    &[ChargedTwice, InTransit],
];

/// `first` numbers the customers, so that no two tasks share one; `wording` is where each problem's wordings start.
fn build(split: Split, table: &[&[Problem]], first: usize, wording: usize) -> Vec<Task> {
    let mut told: BTreeMap<Problem, usize> = BTreeMap::new();
    let tasks = table.iter().enumerate().map(|(index, problems)| {
        let number = first + index;
        let mut draft = Draft::new(number);
        for &problem in *problems {
            let nth = told.entry(problem).or_default();
            draft.add(problem, *nth, wording + *nth);
            *nth += 1;
        }
        let id = format!("hd-{}", &hash::of_text(&format!("helpdesk task {number}"))[..8]);
        let (ticket, rows, expected) = draft.finish();
        Task {
            id,
            split,
            ticket,
            rows,
            expected,
        }
    });
    tasks.collect()
}
