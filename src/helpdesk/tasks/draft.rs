//! A ticket in the making: a customer with one order, and everything around them, harmless until a problem is added.

use super::super::shop::{
    Card, Customer, Login, Money, Order, OrderStatus, PausedBy, Payment, Product, Report, Request, Return, ReturnState,
    Review, Shipment, ShipmentStatus, Shop, Subscription, Voucher, VoucherState,
};
use super::problems::Problem;
use serde_json::{Map, Value, json};
use sprag_core::trace::{Expected, ExpectedAction};

const NAMES: [&str; 16] = [
    "Ada Brandt",
    "Bela Szabo",
    "Chidi Okafor",
    "Dana Whitlock",
    "Emre Aydin",
    "Freya Holm",
    "Goran Petrov",
    "Hana Mori",
    "Ines Duarte",
    "Jonas Keller",
    "Kavya Rao",
    "Liam Byrne",
    "Mina Park",
    "Noor Haddad",
    "Olga Lind",
    "Pablo Reyes",
];
const PRODUCTS: [(&str, &str, u32); 7] = [
    ("TT-KETTLE", "copper kettle", 64_90),
    ("TT-TEAPOT", "stoneware teapot", 42_50),
    ("TT-YARN", "box of merino yarn", 29_00),
    ("TT-APRON", "linen apron", 34_90),
    ("TT-BOARD", "olive wood board", 51_00),
    ("TT-LAMP", "reading lamp", 78_40),
    ("TT-QUILT", "quilting set", 88_00),
];
const GREETINGS: [&str; 5] = ["Hello,", "Good morning,", "Hi there,", "Dear team,", "Hello again,"];
const CLOSINGS: [&str; 5] = [
    "Thanks!",
    "Please hurry, it is urgent.",
    "Kind regards",
    "Could somebody look into this today?",
    "Many thanks in advance",
];
const CARRIERS: [&str; 3] = ["Heron Post", "Blue Van", "Tortoise Express"];

/// The parts of a task, open to change.
#[derive(Debug)]
pub(super) struct Draft {
    number: usize,
    sentences: Vec<&'static str>,
    /// Whether a person must see the ticket before anything is done.
    pub(super) handover: bool,
    pub(super) customer_id: String,
    pub(super) customer: Customer,
    pub(super) order_id: String,
    pub(super) order: Order,
    pub(super) payment: Payment,
    pub(super) shipment: Shipment,
    pub(super) product: Product,
    pub(super) return_id: String,
    pub(super) returned: Option<Return>,
    pub(super) subscription: (String, Subscription),
    pub(super) voucher: (String, Voucher),
    pub(super) expected: Expected,
}

impl Draft {
    /// Nothing is wrong yet. What `number` varies looks like trouble here and there (an empty shelf, a return on its way, a subscription
    /// that the customer paused), so that one hint alone proves nothing.
    pub(super) fn new(number: usize) -> Self {
        // Steps without a common factor with the modulus: no two tasks share an id.
        let id = |letter: char, step: usize, modulus: usize, first: usize| {
            format!("{letter}-{}", first + number * step % modulus)
        };
        let (customer_id, order_id) = (id('C', 173, 997, 2000), id('O', 619, 9973, 20_000));
        let (sku, name, price) = PRODUCTS[number % PRODUCTS.len()];
        let quantity = if number.is_multiple_of(4) { 2 } else { 1 };
        let total = Money(price * quantity);
        let pick = |options: usize| number % options;
        Self {
            number,
            sentences: Vec::new(),
            handover: false,
            customer: Customer {
                name: NAMES[pick(NAMES.len())].to_owned(),
                login: Login::Ok,
                review: if pick(4) == 1 { Review::Passed } else { Review::None },
                credit: Money(0),
            },
            order: Order {
                customer_id: customer_id.clone(),
                payment_id: id('P', 271, 9973, 50_000),
                sku: sku.to_owned(),
                quantity,
                total,
                status: OrderStatus::Delivered,
                days_late: 0,
                request: Request::None,
                report: Report::None,
            },
            payment: Payment {
                order_id: order_id.clone(),
                amount: total,
                captures: 1,
                refunded: Money(0),
            },
            shipment: Shipment {
                carrier: CARRIERS[pick(CARRIERS.len())].to_owned(),
                status: ShipmentStatus::Delivered,
                last_scan_days: 2 + number as u32 % 5,
                address_problem: None,
                on_hold: false,
                reshipments: 0,
            },
            product: Product {
                name: name.to_owned(),
                price: Money(price),
                available: if pick(3) == 0 { 0 } else { 4 + number as u32 % 9 },
            },
            return_id: id('R', 89, 997, 700),
            returned: (pick(2) == 0).then(|| Return {
                order_id: order_id.clone(),
                state: ReturnState::Announced,
                settled: false,
            }),
            subscription: (
                id('S', 53, 997, 3000),
                Subscription {
                    customer_id: customer_id.clone(),
                    plan: if pick(2) == 0 { "tea box" } else { "yarn box" }.to_owned(),
                    paused_by: if pick(3) == 2 {
                        PausedBy::Customer
                    } else {
                        PausedBy::Nobody
                    },
                    card: Card::Valid,
                    boxes_charged: 2 + number as u32 % 6,
                    failed_charges: 0,
                },
            ),
            voucher: (
                format!("V-{:04X}", (number * 4177 + 499) & 0xFFFF),
                Voucher {
                    customer_id: customer_id.clone(),
                    value: Money(if pick(2) == 0 { 10_00 } else { 15_00 }),
                    state: if pick(3) == 1 {
                        VoucherState::Used
                    } else {
                        VoucherState::Active
                    },
                },
            ),
            customer_id,
            order_id,
            expected: Expected::default(),
        }
    }

    /// Adds a problem: `nth` counts its tickets, `wording` chooses its sentence.
    pub(super) fn add(&mut self, problem: Problem, nth: usize, wording: usize) {
        let sentences = problem.sentences();
        self.sentences.push(sentences[wording % sentences.len()]);
        problem.set_up(self, nth);
    }

    /// The order is on its way or was, with enough of the product on the shelf.
    pub(super) fn sent(&mut self, order: OrderStatus, shipment: ShipmentStatus, days_late: u32) {
        self.order.status = order;
        self.order.days_late = days_late;
        self.shipment.status = shipment;
        self.returned = None;
        self.product.available = self.product.available.max(4);
    }

    /// Something that should be done.
    pub(super) fn expect<const N: usize>(&mut self, tool: &str, arguments: [(&str, Value); N]) {
        let arguments = arguments
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>();
        self.expected.actions.push(ExpectedAction {
            name: tool.to_owned(),
            arguments,
            ..ExpectedAction::default()
        });
    }

    /// Something the customer should be told.
    pub(super) fn tell(&mut self, text: &str) {
        self.expected.communicate.push(text.to_owned());
    }

    /// The ticket, the rows behind it, and what should come of it.
    pub(super) fn finish(mut self) -> (String, Shop, Expected) {
        let ticket = self.ticket();
        if self.handover {
            self.expected = Expected::default();
            let customer = json!(self.customer_id);
            self.expect("transfer_to_human", [("customer_id", customer)]);
        }
        let rows = Shop {
            payments: [(self.order.payment_id.clone(), self.payment)].into(),
            products: [(self.order.sku.clone(), self.product)].into(),
            shipments: [(self.order_id.clone(), self.shipment)].into(),
            orders: [(self.order_id, self.order)].into(),
            customers: [(self.customer_id, self.customer)].into(),
            returns: self
                .returned
                .into_iter()
                .map(|row| (self.return_id.clone(), row))
                .collect(),
            subscriptions: [self.subscription].into(),
            vouchers: [self.voucher].into(),
            handover: None,
        };
        (ticket, rows, self.expected)
    }

    fn ticket(&self) -> String {
        let pick = |options: &[&'static str; 5], step: usize| options[self.number * step % 5];
        let sentences = self.sentences.join(" ").replace("{product}", &self.product.name);
        let first_name = self.customer.name.split(' ').next().unwrap_or_default();
        format!(
            "Customer: {}\nOrder: {}\n\n{}\n{sentences} {}\n{first_name}",
            self.customer_id,
            self.order_id,
            pick(&GREETINGS, 1),
            pick(&CLOSINGS, 3),
        )
    }
}
