use super::*;

#[test]
fn compiles() {
    let c = Contract::official();
    let t = std::time::Instant::now();
    for e in c.endpoints() {
        let op = c.operation(&e);
        if let Some(b) = op.get("requestBody") { let _ = c.validator(&format!("{e} request"), &b["content"]["application/json"]["schema"]); }
        for (s, r) in members(&op["responses"]) {
            let r = match &r["$ref"] { Value::String(x) => c.component(x), _ => r };
            let s2 = &r["content"]["application/json"]["schema"];
            if !s2.is_null() { let _ = c.validator(&format!("{e} {s}"), s2); }
        }
    }
    eprintln!("{:?}", t.elapsed());
}
