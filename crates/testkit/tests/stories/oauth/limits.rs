//! Whoever goes on and on with what is wrong is told to slow down; nobody else notices.

use nt_testkit::{Connection, Request};
use serde_json::json;

use super::{INTROSPECT, as_client, error, form, told};

/// More than may fail at once (`authority/limits`), and than come free while they are sent.
const MANY: usize = 160;

#[test]
fn a_flood_of_wrong_secrets_is_slowed_down_and_good_ones_beside_it_are_not() {
    told(|told| {
        let secret = told.register("billing", "introspect", None)?;
        let body = format!("token={}", told.ours.token);
        let wrong = as_client(form(INTROSPECT, &body), ("billing", "ntc_wrong")).render();
        let good = as_client(form(INTROSPECT, &body), ("billing", &secret)).render();
        let mut line = Connection::open(told.world.address())?;
        let mut slowed = None;
        for _ in 0..MANY {
            let answer = line.exchange(&wrong)?;
            match error(&answer) {
                (401, code) => assert_eq!(code, "invalid_client"),
                (429, code) => {
                    assert_eq!(code, "slow_down");
                    slowed = Some(answer);
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        let slowed = slowed.expect("slowed down");
        let again = slowed.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
        assert!(again.is_some_and(|seconds| (1..=5).contains(&seconds)), "{slowed:?}");
        assert_eq!(line.exchange(&good)?.json()["active"], true, "a good client goes on");
        assert_eq!(told.world.check(&told.ours.token)?.status, 200, "and so does all traffic");
        Ok(())
    });
}

#[test]
fn sign_ins_that_fail_and_fail_are_slowed_down_and_one_that_is_good_is_not() {
    told(|told| {
        let exchange = Request::new("POST", "/api/v1/auth/token-exchange");
        let wrong = exchange.json(&json!({ "oauth_token": "no.id.token" })).render();
        let mut line = Connection::open(told.world.address())?;
        let mut statuses = Vec::new();
        for _ in 0..MANY {
            let answer = line.exchange(&wrong)?;
            statuses.push(answer.status);
            if answer.status == 429 {
                assert_eq!(answer.error_code().as_deref(), Some("RATE_LIMITED"));
                assert!(answer.header("retry-after").is_some());
                break;
            }
        }
        assert_eq!((statuses.first(), statuses.last()), (Some(&401), Some(&429)), "{statuses:?}");
        told.world.operator(crate::MEMBER)?;
        Ok(())
    });
}
