//! The shop's database, in memory: what `data/shop.json` holds, and the rows a task changes in it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Every table, by id. Shipments go by the id of their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shop {
    pub(super) customers: BTreeMap<String, Customer>,
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) payments: BTreeMap<String, Payment>,
    pub(super) shipments: BTreeMap<String, Shipment>,
    pub(super) returns: BTreeMap<String, Return>,
    pub(super) products: BTreeMap<String, Product>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    pub(super) vouchers: BTreeMap<String, Voucher>,
    /// The customer whose ticket a person has taken over; from then on the agent changes nothing.
    pub(super) handover: Option<String>,
}

impl Shop {
    /// Adds the rows of `other`; a row with a known id replaces the old one.
    pub(super) fn merge(&mut self, other: Self) {
        self.customers.extend(other.customers);
        self.orders.extend(other.orders);
        self.payments.extend(other.payments);
        self.shipments.extend(other.shipments);
        self.returns.extend(other.returns);
        self.products.extend(other.products);
        self.subscriptions.extend(other.subscriptions);
        self.vouchers.extend(other.vouchers);
        self.handover = other.handover.or(self.handover.take());
    }
}

/// Somebody who buys here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Customer {
    pub(super) name: String,
    pub(super) login: Login,
    /// What the payments team says about the account.
    pub(super) review: Review,
    pub(super) credit: Money,
}

/// One order of one product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) customer_id: String,
    pub(super) payment_id: String,
    pub(super) sku: String,
    pub(super) quantity: u32,
    pub(super) total: Money,
    pub(super) status: OrderStatus,
    /// Days past the promised date of delivery.
    pub(super) days_late: u32,
    /// What the customer asked for with a button of the shop.
    pub(super) request: Request,
    /// What the customer showed with a photo that was accepted.
    pub(super) report: Report,
}

/// The money of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payment {
    pub(super) order_id: String,
    /// What one capture took.
    pub(super) amount: Money,
    /// How often the card was charged.
    pub(super) captures: u32,
    pub(super) refunded: Money,
}

impl Payment {
    /// What could still be given back.
    pub(super) fn refundable(&self) -> Money {
        Money(
            self.amount
                .0
                .saturating_mul(self.captures)
                .saturating_sub(self.refunded.0),
        )
    }
}

/// The parcel of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shipment {
    pub(super) carrier: String,
    pub(super) status: ShipmentStatus,
    pub(super) last_scan_days: u32,
    /// What the carrier holds against the address; `null` when it can deliver.
    pub(super) address_problem: Option<String>,
    pub(super) on_hold: bool,
    pub(super) reshipments: u32,
}

/// Goods on their way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Return {
    pub(super) order_id: String,
    pub(super) state: ReturnState,
    pub(super) settled: bool,
}

/// Something for sale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) price: Money,
    pub(super) available: u32,
}

/// A box every month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscription {
    pub(super) customer_id: String,
    pub(super) plan: String,
    pub(super) paused_by: PausedBy,
    pub(super) card: Card,
    pub(super) boxes_charged: u32,
    pub(super) failed_charges: u32,
}

/// A code worth money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Voucher {
    pub(super) customer_id: String,
    pub(super) value: Money,
    pub(super) state: VoucherState,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($word:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name { $($word),* }
    )*};
}

words! {
    /// Whether a customer can log in.
    Login { Ok, Locked }
    /// Whether the payments team wants to see a customer's tickets.
    Review { None, Passed, Required }
    /// How far an order is.
    OrderStatus { Processing, Shipped, Delivered, Cancelled }
    /// A button the customer pressed.
    Request { None, Cancel }
    /// A report with a photo.
    Report { None, Damaged }
    /// Where a parcel is.
    ShipmentStatus { Waiting, InTransit, HeldAtCustoms, Lost, Delivered }
    /// How far a return is.
    ReturnState { Announced, Received }
    /// Who paused a subscription.
    PausedBy { Nobody, Customer, System }
    /// The card of a subscription.
    Card { Valid, Expired }
    /// What a voucher is good for.
    VoucherState { Active, Used, Expired, LostInMigration, Reissued }
}

/// An amount in cents; outside, a number of euros with two decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Money(pub(super) u32);

impl Money {
    /// From a number of euros; `None` when it is negative, too large or no number.
    pub(super) fn of_euros(euros: f64) -> Option<Self> {
        let cents = (euros * 100.0).round();
        (0.0..=f64::from(u32::MAX))
            .contains(&cents)
            .then_some(Self(cents as u32))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let euros = f64::deserialize(deserializer)?;
        Self::of_euros(euros).ok_or_else(|| serde::de::Error::custom(format!("{euros} is not an amount of money")))
    }
}

/// The shop as it is in the bundled repository.
#[cfg(test)]
pub(super) fn bundled() -> Shop {
    serde_json::from_str(include_str!("../../assets/helpdesk/data/shop.json")).unwrap()
}
