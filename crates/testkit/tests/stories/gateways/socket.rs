//! An nginx that asks an edge on the same machine through a Unix socket.

use std::process::Child;
use std::time::Duration;

use nt_testkit::gateway::{Answers, Extras, Gateway, Program, Recorder};
use nt_testkit::{Connection, Request, http, process};
use serde_json::json;

use crate::{OWNER, edge, story};

/// An edge that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nginx_asks_an_edge_through_its_socket_and_a_revoke_is_in_force_there_at_once() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let own = operator.create_workspace("main")?;
        let socket = format!("unix:{}", world.dir().join("edge.sock").display());
        let _edge = Ends(edge::spawn(world, &socket, &["--name", "by socket"])?);
        let api = Recorder::start(Answers::Itself)?;
        let (tcp, by_socket) =
            (format!("server {};", world.address()), format!("server {socket};"));
        let edits = [
            (tcp.as_str(), by_socket.as_str()),
            // Started by root, its workers are somebody else, who may not look into the world's folder.
            ("worker_processes 2;", "user root;\nworker_processes 2;"),
        ];
        let (dir, extras) = (world.dir().join("gateway"), Extras { secret: "", edits: &edits });
        let gateway =
            Gateway::start_with(Program::Nginx, &dir, world.address(), api.address(), &extras)?;
        process::until(Duration::from_secs(20), || {
            let answer = http::once(gateway.address(), &Request::get("/").bearer(&own.token))?;
            Ok((answer.status == 200).then_some(()))
        })?;
        let mut client = Connection::open(gateway.address())?;
        for _ in 0..20 {
            let issued = operator.create_token(&own.workspace, &json!({}))?;
            let request = Request::get("/tools").bearer(&issued.token).render();
            assert_eq!(client.exchange(&request)?.status, 200);
            operator.revoke(&own.workspace, &issued.jti)?;
            assert_eq!(client.exchange(&request)?.status, 401, "the very next request");
        }
        Ok(())
    });
}
