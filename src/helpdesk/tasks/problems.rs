//! What goes wrong in a shop: for each problem the sentences customers write, how it looks in the database, and what should be done.

use super::super::shop::{
    Card, Login, OrderStatus, PausedBy, Report, Request, Return, ReturnState, Review, ShipmentStatus, VoucherState,
};
use super::draft::Draft;
use serde_json::json;

/// The underlying problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Problem {
    Cancel,
    Lost,
    LostSoldOut,
    VeryLate,
    InTransit,
    Customs,
    BadAddress,
    Damaged,
    ReturnArrived,
    ChargedTwice,
    VoucherExpired,
    VoucherLost,
    PausedByUs,
    CardExpired,
    Locked,
    UnderReview,
}

/// Customers cannot know why a parcel does not come.
const WHERE_IS_IT: [&str; 6] = [
    "Where is my {product}? It should be here by now.",
    "I am still waiting for the {product} I ordered.",
    "The tracking page of my {product} has not moved for days.",
    "I do not want to cancel, I just want to know where my {product} is.",
    "My parcel with the {product} has not arrived.",
    "Is the {product} ever going to come?",
];
const MONEY_OFF: [&str; 4] = [
    "My voucher is refused at the checkout.",
    "I tried to use my discount code and the page says it is not valid.",
    "Why can I not pay with the voucher you gave me?",
    "The code from my birthday card does nothing.",
];
const BOX: [&str; 4] = [
    "My monthly box did not come.",
    "Why did I get no box this month?",
    "The subscription page shows a pause sign.",
    "I have not received my subscription box, and nobody told me why.",
];

impl Problem {
    /// What customers write; never empty.
    pub(super) fn sentences(self) -> &'static [&'static str] {
        match self {
            Self::Lost | Self::LostSoldOut | Self::VeryLate | Self::InTransit | Self::Customs => &WHERE_IS_IT,
            Self::VoucherExpired | Self::VoucherLost => &MONEY_OFF,
            Self::PausedByUs | Self::CardExpired => &BOX,
            Self::Cancel => &[
                "Please cancel my order.",
                "I changed my mind about the {product}, call it off, please.",
                "I would like to cancel the {product}.",
                "I found the {product} elsewhere and do not need yours any more.",
            ],
            Self::BadAddress => &[
                "I have a bad feeling about the address of my order.",
                "The courier says they cannot find my street.",
                "Did I type my postcode right?",
                "I moved last month, I hope the {product} finds me.",
            ],
            Self::Damaged => &[
                "The {product} arrived broken, I sent you a photo.",
                "There is a crack in the {product}.",
                "I opened the parcel and the {product} was in pieces.",
                "My {product} came with a big dent.",
            ],
            Self::ReturnArrived => &[
                "I sent the {product} back weeks ago and still have no money.",
                "Did my parcel with the {product} reach you? I am waiting for my refund.",
                "You must have the {product} back by now.",
                "When do I get my money for the {product} I returned?",
            ],
            Self::ChargedTwice => &[
                "I was charged twice.",
                "There are two payments on my statement.",
                "Why was my card charged twice for this?",
                "My bank shows the same amount two times.",
            ],
            Self::Locked => &[
                "I cannot log in any more.",
                "My account says it is locked.",
                "The login page keeps throwing me out.",
                "I typed my password wrong a few times and now I am shut out.",
            ],
            Self::UnderReview => &[
                "I have written before.",
                "I hope this is quick.",
                "You have all my data.",
            ],
        }
    }

    /// Makes it so in the database, and says what should be done.
    pub(super) fn set_up(self, draft: &mut Draft, nth: usize) {
        match self {
            Self::Cancel | Self::BadAddress => before_shipping(self, draft, nth),
            Self::Lost | Self::LostSoldOut | Self::VeryLate | Self::InTransit | Self::Customs => {
                on_the_way(self, draft, nth)
            }
            Self::Damaged | Self::ReturnArrived | Self::ChargedTwice => after_delivery(self, draft),
            Self::VoucherExpired | Self::VoucherLost | Self::PausedByUs | Self::CardExpired => extras(self, draft),
            Self::Locked | Self::UnderReview => account(self, draft),
        }
    }
}

fn before_shipping(problem: Problem, draft: &mut Draft, nth: usize) {
    draft.sent(OrderStatus::Processing, ShipmentStatus::Waiting, 0);
    let order = json!(draft.order_id);
    if problem == Problem::Cancel {
        draft.order.request = Request::Cancel;
        draft.expect("cancel_order", [("order_id", order)]);
    } else {
        let reasons = [
            "postcode and town do not match",
            "no such street",
            "house number missing",
        ];
        draft.shipment.address_problem = Some(reasons[nth % reasons.len()].to_owned());
        draft.expect("hold_order", [("order_id", order)]);
    }
}

/// Up to 6 days are within the terms; from the 7th the shop owes a credit.
fn on_the_way(problem: Problem, draft: &mut Draft, nth: usize) {
    let order = json!(draft.order_id);
    match problem {
        Problem::VeryLate => {
            draft.sent(OrderStatus::Shipped, ShipmentStatus::InTransit, [7, 9, 8, 12][nth % 4]);
            let customer = json!(draft.customer_id);
            draft.expect("add_credit", [("customer_id", customer), ("amount", json!(5))]);
        }
        Problem::InTransit => {
            draft.sent(OrderStatus::Shipped, ShipmentStatus::InTransit, [6, 2, 5, 0][nth % 4]);
            draft.tell("on its way");
        }
        Problem::Customs => {
            draft.sent(OrderStatus::Shipped, ShipmentStatus::HeldAtCustoms, [5, 6][nth % 2]);
            draft.tell("Your parcel is at customs: please send the carrier the form CN22.");
        }
        Problem::LostSoldOut => {
            draft.sent(OrderStatus::Shipped, ShipmentStatus::Lost, [3, 6][nth % 2]);
            draft.shipment.last_scan_days = 16 + draft.shipment.last_scan_days;
            draft.product.available = 0;
            let amount = json!(draft.order.total);
            draft.expect("refund", [("order_id", order), ("amount", amount)]);
        }
        _ => {
            draft.sent(OrderStatus::Shipped, ShipmentStatus::Lost, [6, 4, 2][nth % 3]);
            draft.shipment.last_scan_days = 15 + draft.shipment.last_scan_days;
            draft.expect("reship_order", [("order_id", order)]);
        }
    }
}

fn after_delivery(problem: Problem, draft: &mut Draft) {
    match problem {
        Problem::Damaged => {
            draft.sent(OrderStatus::Delivered, ShipmentStatus::Delivered, 0);
            draft.order.report = Report::Damaged;
            let order = json!(draft.order_id);
            draft.expect("reship_order", [("order_id", order)]);
        }
        Problem::ReturnArrived => {
            draft.returned = Some(Return {
                order_id: draft.order_id.clone(),
                state: ReturnState::Received,
                settled: false,
            });
            let id = json!(draft.return_id);
            draft.expect("settle_return", [("return_id", id)]);
        }
        _ => {
            draft.payment.captures = 2;
            let payment = json!(draft.order.payment_id);
            draft.expect("reverse_charge", [("payment_id", payment)]);
        }
    }
}

fn extras(problem: Problem, draft: &mut Draft) {
    let (subscription_id, subscription) = &mut draft.subscription;
    match problem {
        Problem::VoucherExpired => {
            draft.voucher.1.state = VoucherState::Expired;
            draft.tell("has expired");
        }
        Problem::VoucherLost => {
            draft.voucher.1.state = VoucherState::LostInMigration;
            let code = json!(draft.voucher.0);
            draft.expect("reissue_voucher", [("code", code)]);
        }
        Problem::PausedByUs => {
            (subscription.paused_by, subscription.card, subscription.failed_charges) =
                (PausedBy::System, Card::Valid, 1);
            let subscription_id = json!(subscription_id);
            draft.expect("resume_subscription", [("subscription_id", subscription_id)]);
        }
        _ => {
            (subscription.paused_by, subscription.card, subscription.failed_charges) =
                (PausedBy::System, Card::Expired, 1);
            draft.tell("update your card");
        }
    }
}

fn account(problem: Problem, draft: &mut Draft) {
    if problem == Problem::Locked {
        draft.customer.login = Login::Locked;
        let customer = json!(draft.customer_id);
        draft.expect("unlock_account", [("customer_id", customer)]);
    } else {
        draft.customer.review = Review::Required;
        draft.handover = true;
    }
}
