//! Stopping in order: what was accepted is finished, and nothing is forgotten.

use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use nt_testkit::{Connection, Request, process};

use crate::{OWNER, owner_with_workspace, story};

#[test]
fn requests_that_were_accepted_are_answered_and_then_it_ends() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let workspace = operator.create_workspace("main")?.workspace;
        let path = format!("/v1/workspaces/{workspace}/tokens");
        let body = br#"{"description":"in flight"}"#;
        let (head, rest) = body.split_at(10);
        let mut open = Vec::new();
        for _ in 0..16 {
            let request = Request::new("POST", &path).bearer(&operator.session);
            let request = request
                .header("expect", "100-continue")
                .header("content-type", "application/json")
                .header("content-length", &body.len().to_string());
            let mut connection = Connection::open(world.address())?;
            connection.write(&request.render())?;
            // The interim answer proves that the request is being worked on.
            assert_eq!(connection.read()?.status, 100);
            connection.write(head)?;
            open.push(connection);
        }
        world.signal(Signal::SIGTERM)?;
        process::until(Duration::from_secs(10), || {
            Ok(TcpStream::connect(world.address()).is_err().then_some(()))
        })?;
        for mut connection in open {
            connection.write(rest)?;
            let answer = connection.read()?;
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
        let status = world.wait()?;
        assert!(status.success(), "{status}");
        world.restart()?;
        let tokens = operator.tokens(&workspace, "active")?;
        let kept = tokens.iter().filter(|token| token["description"] == "in flight").count();
        assert_eq!(kept, 16);
        Ok(())
    });
}

#[test]
fn sessions_and_tokens_outlive_a_restart() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let operator = world.operator(OWNER)?;
        let made = cli.json(&["token", "create"])?;
        let token = crate::text_of(&made, "token").to_owned();
        let before = cli.json(&["token", "list"])?;
        world.stop_and_start()?;
        assert_eq!(world.check(&token)?.status, 200);
        let after = cli.json(&["token", "list"])?;
        assert_eq!(after["total_active"], before["total_active"]);
        assert_eq!(after["current_token_jti"], before["current_token_jti"]);
        operator.expect(200, "GET", "/v1/auth/session", None)?;
        world.stop_and_start()?;
        cli.ok(&["token", "revoke", crate::text_of(&made, "jti"), "--force"])?;
        world.stop_and_start()?;
        assert_eq!(world.check(&token)?.status, 401);
        Ok(())
    });
}
