//! The tools of the helpdesk: nine that look, eleven that change the shop. Each validates before it writes, so that an error changes nothing.

use super::shop::{
    Card, Login, Money, OrderStatus, PausedBy, Payment, ReturnState, ShipmentStatus, Shop, VoucherState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sprag_core::case::Fixture;
use sprag_core::trace::{Effect, ToolSpec};
use std::collections::BTreeMap;

/// The arguments of a call, by name.
pub(super) type Arguments = Map<String, Value>;

/// What a tool answers: a result, or an error, both as text that the agent reads.
pub(super) type Answer = Result<String, String>;

struct Tool {
    name: &'static str,
    effect: Effect,
    required: &'static [&'static str],
    run: fn(&mut Shop, &Arguments) -> Answer,
}

const fn read(name: &'static str, required: &'static [&'static str], run: fn(&mut Shop, &Arguments) -> Answer) -> Tool {
    Tool {
        name,
        effect: Effect::Read,
        required,
        run,
    }
}

const fn write(
    name: &'static str,
    required: &'static [&'static str],
    run: fn(&mut Shop, &Arguments) -> Answer,
) -> Tool {
    Tool {
        name,
        effect: Effect::Write,
        required,
        run,
    }
}

const TOOLS: [Tool; 20] = [
    read("get_customer", &["customer_id"], get_customer),
    read("get_order", &["order_id"], get_order),
    read("get_payment", &["payment_id"], get_payment),
    read("get_return", &["order_id"], get_return),
    read("get_subscription", &["customer_id"], get_subscription),
    read("get_voucher", &["customer_id"], get_voucher),
    read("check_shipment", &["order_id"], check_shipment),
    read("check_address", &["order_id"], check_address),
    read("check_stock", &["sku"], check_stock),
    write("cancel_order", &["order_id"], cancel_order),
    write("hold_order", &["order_id"], hold_order),
    write("reship_order", &["order_id"], reship_order),
    write("refund", &["order_id", "amount"], refund),
    write("reverse_charge", &["payment_id"], reverse_charge),
    write("settle_return", &["return_id"], settle_return),
    write("add_credit", &["customer_id", "amount"], add_credit),
    write("reissue_voucher", &["code"], reissue_voucher),
    write("resume_subscription", &["subscription_id"], resume_subscription),
    write("unlock_account", &["customer_id"], unlock_account),
    write("transfer_to_human", &["customer_id"], transfer_to_human),
];

/// The most that one goodwill credit may be.
const CREDIT_LIMIT: Money = Money(25_00);

/// The tools as a trace names them.
pub(super) fn specs() -> Vec<ToolSpec> {
    let names = |required: &[&str]| required.iter().map(|&name| name.to_owned()).collect();
    TOOLS
        .iter()
        .map(|tool| ToolSpec {
            name: tool.name.to_owned(),
            effect: tool.effect,
            required: names(tool.required),
        })
        .collect()
}

/// Makes one call.
pub(super) fn call(shop: &mut Shop, name: &str, arguments: &Arguments) -> Answer {
    let tool = TOOLS
        .iter()
        .find(|tool| tool.name == name)
        .ok_or_else(|| format!("there is no tool '{name}'"))?;
    if let Some(missing) = tool
        .required
        .iter()
        .find(|&&required| !arguments.contains_key(required))
    {
        return Err(format!("{name} needs the argument '{missing}'"));
    }
    if let Some(unknown) = arguments.keys().find(|key| !tool.required.contains(&key.as_str())) {
        return Err(format!("{name} does not know the argument '{unknown}'"));
    }
    let taken_over = tool.effect == Effect::Write && shop.handover.is_some();
    require(!taken_over, || "a person has taken over this ticket".to_owned())?;
    (tool.run)(shop, arguments)
}

/// Puts the row that a recorded answer shows into the shop.
pub(super) fn remember(shop: &mut Shop, fixture: &Fixture) {
    let Some(mut row) = serde_json::from_str::<Arguments>(&fixture.result)
        .ok()
        .filter(|_| !fixture.error)
    else {
        return;
    };
    match fixture.name.as_str() {
        "get_customer" => add(&mut shop.customers, "customer_id", &mut row),
        "get_order" => add(&mut shop.orders, "order_id", &mut row),
        "get_payment" => add(&mut shop.payments, "payment_id", &mut row),
        "get_return" => add(&mut shop.returns, "return_id", &mut row),
        "get_subscription" => add(&mut shop.subscriptions, "subscription_id", &mut row),
        "get_voucher" => add(&mut shop.vouchers, "code", &mut row),
        "check_stock" => add(&mut shop.products, "sku", &mut row),
        _ => {}
    }
}

fn add<T: DeserializeOwned>(table: &mut BTreeMap<String, T>, key: &str, row: &mut Arguments) {
    let id = row.remove(key);
    let read = serde_json::from_value(Value::Object(std::mem::take(row)));
    if let (Some(Value::String(id)), Ok(read)) = (id, read) {
        table.insert(id, read);
    }
}

fn get_customer(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "customer_id")?;
    view("customer_id", id, find(shop.customers.get(id), "customer", id)?)
}

fn get_order(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    view("order_id", id, find(shop.orders.get(id), "order", id)?)
}

fn get_payment(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "payment_id")?;
    view("payment_id", id, find(shop.payments.get(id), "payment", id)?)
}

fn get_return(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let order_id = text(arguments, "order_id")?;
    find(shop.orders.get(order_id), "order", order_id)?;
    view_or_none(
        "return_id",
        shop.returns.iter().find(|(_, row)| row.order_id == order_id),
    )
}

fn get_subscription(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let customer_id = text(arguments, "customer_id")?;
    find(shop.customers.get(customer_id), "customer", customer_id)?;
    view_or_none(
        "subscription_id",
        shop.subscriptions
            .iter()
            .find(|(_, row)| row.customer_id == customer_id),
    )
}

fn get_voucher(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let customer_id = text(arguments, "customer_id")?;
    find(shop.customers.get(customer_id), "customer", customer_id)?;
    view_or_none(
        "code",
        shop.vouchers.iter().find(|(_, row)| row.customer_id == customer_id),
    )
}

fn check_shipment(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    let shipment = find(shop.shipments.get(id), "shipment for order", id)?;
    let status = match shipment.status {
        ShipmentStatus::Waiting => "NOT HANDED OVER YET",
        ShipmentStatus::InTransit => "IN TRANSIT",
        ShipmentStatus::HeldAtCustoms => "HELD AT CUSTOMS",
        ShipmentStatus::Lost => "LOST",
        ShipmentStatus::Delivered => "DELIVERED",
    };
    Ok(format!(
        "Carrier: {}\nStatus: {status}\nLast scan: {} days ago",
        shipment.carrier, shipment.last_scan_days
    ))
}

fn check_address(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    let shipment = find(shop.shipments.get(id), "shipment for order", id)?;
    Ok(match &shipment.address_problem {
        Some(problem) => format!("Carrier: {}\nDeliverable: NO\nReason: {problem}", shipment.carrier),
        None => format!("Carrier: {}\nDeliverable: YES", shipment.carrier),
    })
}

fn check_stock(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let sku = text(arguments, "sku")?;
    view("sku", sku, find(shop.products.get(sku), "product", sku)?)
}

fn cancel_order(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    let order = find(shop.orders.get_mut(id), "order", id)?;
    let payment = find(shop.payments.get_mut(&order.payment_id), "payment", &order.payment_id)?;
    require(order.status == OrderStatus::Processing, || {
        format!("order {id} cannot be cancelled: it is {}", word(order.status))
    })?;
    order.status = OrderStatus::Cancelled;
    let back = payment.refundable();
    payment.refunded = Money(payment.refunded.0 + back.0);
    Ok(format!("order {id} is cancelled, {back} goes back to the customer"))
}

fn hold_order(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    let order = find(shop.orders.get(id), "order", id)?;
    let shipment = find(shop.shipments.get_mut(id), "shipment for order", id)?;
    require(order.status == OrderStatus::Processing, || {
        format!("order {id} cannot be held: it is {}", word(order.status))
    })?;
    require(!shipment.on_hold, || format!("order {id} is on hold already"))?;
    shipment.on_hold = true;
    Ok(format!("order {id} is on hold, the customer is asked for the address"))
}

fn reship_order(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    let order = find(shop.orders.get(id), "order", id)?;
    let shipment = find(shop.shipments.get_mut(id), "shipment for order", id)?;
    let product = find(shop.products.get_mut(&order.sku), "product", &order.sku)?;
    let shipped = matches!(order.status, OrderStatus::Shipped | OrderStatus::Delivered);
    require(shipped, || {
        format!("order {id} cannot be sent again: it is {}", word(order.status))
    })?;
    require(shipment.reshipments == 0, || {
        format!("order {id} was sent again already")
    })?;
    require(product.available >= order.quantity, || {
        format!("order {id} cannot be sent again: {} is out of stock", order.sku)
    })?;
    product.available -= order.quantity;
    shipment.reshipments += 1;
    Ok(format!("order {id} is sent again"))
}

fn refund(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "order_id")?;
    let amount = money(arguments, "amount")?;
    let order = find(shop.orders.get(id), "order", id)?;
    let payment: &mut Payment = find(shop.payments.get_mut(&order.payment_id), "payment", &order.payment_id)?;
    require(amount <= payment.refundable(), || {
        format!(
            "{amount} is more than the {} that is left of the payment for order {id}",
            payment.refundable()
        )
    })?;
    payment.refunded = Money(payment.refunded.0 + amount.0);
    Ok(format!("{amount} refunded for order {id}"))
}

fn reverse_charge(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "payment_id")?;
    let payment = find(shop.payments.get_mut(id), "payment", id)?;
    require(payment.captures > 1, || format!("payment {id} was charged only once"))?;
    payment.captures -= 1;
    Ok(format!("one charge of {} for payment {id} is reversed", payment.amount))
}

fn settle_return(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "return_id")?;
    let row = find(shop.returns.get_mut(id), "return", id)?;
    let order = find(shop.orders.get(&row.order_id), "order", &row.order_id)?;
    let payment = find(shop.payments.get_mut(&order.payment_id), "payment", &order.payment_id)?;
    require(row.state == ReturnState::Received, || {
        format!("return {id} cannot be settled: the goods are not here yet")
    })?;
    require(!row.settled, || format!("return {id} is settled already"))?;
    let back = order.total.min(payment.refundable());
    row.settled = true;
    payment.refunded = Money(payment.refunded.0 + back.0);
    Ok(format!("return {id} is settled, {back} goes back to the customer"))
}

fn add_credit(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "customer_id")?;
    let amount = money(arguments, "amount")?;
    let customer = find(shop.customers.get_mut(id), "customer", id)?;
    require(amount <= CREDIT_LIMIT, || {
        format!("a credit of {amount} is more than the limit of {CREDIT_LIMIT}")
    })?;
    customer.credit = Money(customer.credit.0.saturating_add(amount.0));
    Ok(format!("customer {id} has a credit of {} now", customer.credit))
}

fn reissue_voucher(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let code = text(arguments, "code")?;
    let voucher = find(shop.vouchers.get_mut(code), "voucher", code)?;
    let spent = matches!(voucher.state, VoucherState::Used | VoucherState::Reissued);
    require(!spent, || {
        format!("voucher {code} cannot be issued again: it is {}", word(voucher.state))
    })?;
    voucher.state = VoucherState::Reissued;
    Ok(format!(
        "a new voucher of {} in place of {code} is on its way by e-mail",
        voucher.value
    ))
}

/// Charges the next box at once, so with an expired card it does harm: one more failed charge.
fn resume_subscription(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "subscription_id")?;
    let row = find(shop.subscriptions.get_mut(id), "subscription", id)?;
    require(row.paused_by != PausedBy::Nobody, || {
        format!("subscription {id} is not paused")
    })?;
    if row.card == Card::Expired {
        row.failed_charges += 1;
        return Ok(format!("subscription {id}: the charge failed, it stays paused"));
    }
    row.paused_by = PausedBy::Nobody;
    row.boxes_charged += 1;
    Ok(format!("subscription {id} runs again, the next box is charged"))
}

fn unlock_account(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "customer_id")?;
    let customer = find(shop.customers.get_mut(id), "customer", id)?;
    require(customer.login == Login::Locked, || {
        format!("the account of customer {id} is not locked")
    })?;
    customer.login = Login::Ok;
    Ok(format!("customer {id} can log in again"))
}

fn transfer_to_human(shop: &mut Shop, arguments: &Arguments) -> Answer {
    let id = text(arguments, "customer_id")?;
    find(shop.customers.get(id), "customer", id)?;
    shop.handover = Some(id.to_owned());
    Ok(format!("a person takes over the ticket of customer {id}"))
}

fn text<'a>(arguments: &'a Arguments, name: &str) -> Result<&'a str, String> {
    let value = arguments.get(name).and_then(Value::as_str);
    value.ok_or_else(|| format!("the argument '{name}' must be a text"))
}

fn money(arguments: &Arguments, name: &str) -> Result<Money, String> {
    let amount = arguments
        .get(name)
        .and_then(Value::as_f64)
        .and_then(Money::of_euros)
        .filter(|amount| amount.0 > 0);
    amount.ok_or_else(|| format!("the argument '{name}' must be an amount above 0"))
}

fn find<T>(row: Option<T>, what: &str, id: &str) -> Result<T, String> {
    row.ok_or_else(|| format!("there is no {what} {id}"))
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A row as one line of JSON, its id first.
fn view(id_name: &str, id: &str, row: &impl Serialize) -> Answer {
    let mut fields = Map::from_iter([(id_name.to_owned(), Value::from(id))]);
    if let Ok(Value::Object(rest)) = serde_json::to_value(row) {
        fields.extend(rest);
    }
    Ok(Value::Object(fields).to_string())
}

/// That a customer has no such thing is an answer, not an error.
fn view_or_none(id_name: &str, row: Option<(&String, &impl Serialize)>) -> Answer {
    match row {
        Some((id, row)) => view(id_name, id, row),
        None => Ok(serde_json::json!({ id_name: "none" }).to_string()),
    }
}

/// How a state is written in the database.
fn word(state: impl Serialize) -> String {
    serde_json::to_value(state)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpdesk::shop::{self, ReturnState};
    use serde_json::json;

    /// Calls in order on the bundled shop; the last answer and the shop as it is left.
    fn after(calls: &[(&str, Value)]) -> (Answer, Shop) {
        let mut shop = shop::bundled();
        let answers: Vec<Answer> = calls
            .iter()
            .map(|(tool, arguments)| call(&mut shop, tool, arguments.as_object().unwrap()))
            .collect();
        (answers.into_iter().next_back().unwrap(), shop)
    }

    /// The error of the last call, which must change nothing.
    fn refused(calls: &[(&str, Value)]) -> String {
        let (answer, shop) = after(calls);
        let before = match calls.split_last() {
            Some((_, [])) | None => shop::bundled(),
            Some((_, first)) => after(first).1,
        };
        assert_eq!(shop, before, "a refused call changes nothing");
        answer.unwrap_err()
    }

    #[test]
    fn reads_answer_json_or_lines_and_change_nothing() {
        let read = |tool: &str, arguments: Value| {
            let (answer, shop) = after(&[(tool, arguments)]);
            assert_eq!(shop, shop::bundled());
            answer.unwrap()
        };
        let order = read("get_order", json!({"order_id": "O-10002"}));
        assert!(
            order.starts_with(r#"{"order_id":"O-10002","customer_id":"C-1002","payment_id":"P-40002""#),
            "{order}"
        );
        assert!(read("get_payment", json!({"payment_id": "P-40003"})).contains(r#""captures":2"#));
        assert_eq!(
            read("check_shipment", json!({"order_id": "O-10004"})),
            "Carrier: Tortoise Express\nStatus: LOST\nLast scan: 17 days ago"
        );
        assert!(
            read("check_address", json!({"order_id": "O-10003"}))
                .contains("Deliverable: NO\nReason: house number missing")
        );
        assert!(read("check_stock", json!({"sku": "TT-TEAPOT"})).contains(r#""available":0"#));
        assert!(read("get_voucher", json!({"customer_id": "C-1003"})).contains(r#""state":"lost_in_migration""#));
        assert_eq!(
            read("get_subscription", json!({"customer_id": "C-1002"})),
            r#"{"subscription_id":"none"}"#
        );
        assert_eq!(
            read("get_return", json!({"order_id": "O-10002"})),
            r#"{"return_id":"none"}"#
        );
    }

    #[test]
    fn arguments_are_checked() {
        assert_eq!(refused(&[("fly", json!({}))]), "there is no tool 'fly'");
        assert_eq!(
            refused(&[("refund", json!({"order_id": "O-10001"}))]),
            "refund needs the argument 'amount'"
        );
        assert_eq!(
            refused(&[("cancel_order", json!({"order_id": "O-10003", "why": "x"}))]),
            "cancel_order does not know the argument 'why'"
        );
        assert_eq!(
            refused(&[("get_order", json!({"order_id": 7}))]),
            "the argument 'order_id' must be a text"
        );
        assert_eq!(
            refused(&[("get_order", json!({"order_id": "O-9"}))]),
            "there is no order O-9"
        );
        for amount in [json!(0), json!(-3), json!("5"), json!(1e300)] {
            let why = refused(&[("refund", json!({"order_id": "O-10001", "amount": amount}))]);
            assert_eq!(why, "the argument 'amount' must be an amount above 0");
        }
    }

    #[test]
    fn money_never_goes_back_twice() {
        let refund = |amount: f64| ("refund", json!({"order_id": "O-10001", "amount": amount}));
        assert_eq!(after(&[refund(20.0)]).1.payments["P-40001"].refunded, Money(20_00));
        assert_eq!(
            refused(&[refund(60.0), refund(5.0)]),
            "5.00 is more than the 4.90 that is left of the payment for order O-10001"
        );
        let reverse = ("reverse_charge", json!({"payment_id": "P-40003"}));
        assert_eq!(after(std::slice::from_ref(&reverse)).1.payments["P-40003"].captures, 1);
        assert_eq!(
            refused(&[reverse.clone(), reverse]),
            "payment P-40003 was charged only once"
        );
        let credit = |amount: f64| ("add_credit", json!({"customer_id": "C-1001", "amount": amount}));
        assert_eq!(
            after(&[credit(5.0), credit(5.0)]).1.customers["C-1001"].credit,
            Money(10_00),
            "nothing guards against a second credit"
        );
        assert_eq!(
            refused(&[credit(25.01)]),
            "a credit of 25.01 is more than the limit of 25.00"
        );
    }

    #[test]
    fn orders_are_cancelled_held_and_sent_again_only_when_they_can_be() {
        let order = |tool, id: &str| (tool, json!({"order_id": id}));
        let (answer, shop) = after(&[order("cancel_order", "O-10003")]);
        assert_eq!(
            answer.unwrap(),
            "order O-10003 is cancelled, 156.80 goes back to the customer"
        );
        assert_eq!(
            (shop.orders["O-10003"].status, shop.payments["P-40003"].refundable()),
            (OrderStatus::Cancelled, Money(0))
        );
        assert_eq!(
            refused(&[order("cancel_order", "O-10002")]),
            "order O-10002 cannot be cancelled: it is shipped"
        );
        assert!(after(&[order("hold_order", "O-10003")]).1.shipments["O-10003"].on_hold);
        assert_eq!(
            refused(&[order("hold_order", "O-10003"), order("hold_order", "O-10003")]),
            "order O-10003 is on hold already"
        );
        assert_eq!(
            refused(&[order("hold_order", "O-10001")]),
            "order O-10001 cannot be held: it is delivered"
        );
        let shop = after(&[order("reship_order", "O-10002")]).1;
        assert_eq!(
            (
                shop.shipments["O-10002"].reshipments,
                shop.products["TT-YARN"].available
            ),
            (1, 29)
        );
        assert_eq!(
            refused(&[order("reship_order", "O-10002"), order("reship_order", "O-10002")]),
            "order O-10002 was sent again already"
        );
        assert_eq!(
            refused(&[order("reship_order", "O-10004")]),
            "order O-10004 cannot be sent again: TT-TEAPOT is out of stock"
        );
        assert_eq!(
            refused(&[order("reship_order", "O-10003")]),
            "order O-10003 cannot be sent again: it is processing"
        );
    }

    #[test]
    fn a_return_is_settled_once_and_only_when_it_is_here() {
        let settle = |shop: &mut Shop| {
            call(
                shop,
                "settle_return",
                json!({"return_id": "R-601"}).as_object().unwrap(),
            )
        };
        let mut shop = shop::bundled();
        assert_eq!(
            settle(&mut shop),
            Err("return R-601 cannot be settled: the goods are not here yet".to_owned())
        );
        shop.returns.get_mut("R-601").unwrap().state = ReturnState::Received;
        assert_eq!(
            settle(&mut shop),
            Ok("return R-601 is settled, 64.90 goes back to the customer".to_owned())
        );
        assert_eq!(settle(&mut shop), Err("return R-601 is settled already".to_owned()));
    }

    #[test]
    fn vouchers_subscriptions_and_accounts() {
        let (answer, shop) = after(&[("reissue_voucher", json!({"code": "V-0C33"}))]);
        assert_eq!(
            answer.unwrap(),
            "a new voucher of 10.00 in place of V-0C33 is on its way by e-mail"
        );
        assert_eq!(shop.vouchers["V-0C33"].state, VoucherState::Reissued);
        assert_eq!(
            refused(&[("reissue_voucher", json!({"code": "V-0A11"}))]),
            "voucher V-0A11 cannot be issued again: it is used"
        );
        let shop = after(&[("resume_subscription", json!({"subscription_id": "S-2902"}))]).1;
        assert_eq!(shop.subscriptions["S-2902"].failed_charges, 2, "the card has expired");
        assert_eq!(shop.subscriptions["S-2902"].paused_by, PausedBy::System);
        assert_eq!(
            refused(&[("resume_subscription", json!({"subscription_id": "S-2901"}))]),
            "subscription S-2901 is not paused"
        );
        assert_eq!(
            after(&[("unlock_account", json!({"customer_id": "C-1002"}))])
                .1
                .customers["C-1002"]
                .login,
            Login::Ok
        );
        assert_eq!(
            refused(&[("unlock_account", json!({"customer_id": "C-1001"}))]),
            "the account of customer C-1001 is not locked"
        );
    }

    #[test]
    fn after_a_handover_the_agent_may_only_look() {
        let handover = ("transfer_to_human", json!({"customer_id": "C-1002"}));
        assert_eq!(
            after(std::slice::from_ref(&handover)).1.handover.as_deref(),
            Some("C-1002")
        );
        let unlock = ("unlock_account", json!({"customer_id": "C-1002"}));
        assert_eq!(
            refused(&[handover.clone(), unlock]),
            "a person has taken over this ticket"
        );
        assert!(
            after(&[handover, ("get_customer", json!({"customer_id": "C-1002"}))])
                .0
                .is_ok()
        );
    }
}
