//! Several nodes and their verifiers: a client is known or unknown at all of them at once, and what was
//! revoked by one at any of them is refused everywhere in the next question.

use anyhow::Result;
use nt_postgres_testing::Cluster;
use nt_testkit::http::{Response, once};
use nt_testkit::nodes::{Database, Wires};
use nt_testkit::{Nodes, Request, World};
use serde_json::json;

use super::{INACTIVE, INTROSPECT, REVOKE, as_client, error, form};
use crate::cluster::{fleet, tokens, until_all};
use crate::text_of;

const TOKENS: usize = 12;

fn ask(world: &World, endpoint: &str, secret: &str, token: &str) -> Result<Response> {
    world.send(&as_client(form(endpoint, &format!("token={token}")), ("billing", secret)))
}

#[test]
fn what_a_client_revoked_at_one_node_is_refused_by_all_nodes_and_verifiers_in_the_next_question() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let nodes = Nodes::start(2, Database::Cluster(&cluster), Wires::Proxies)?;
        let followers = fleet(&nodes, 2)?;
        let (owners, made) = (nodes.owners(), tokens(&nodes, TOKENS)?);
        let wishes = json!({ "name": "billing", "may": ["introspect", "revoke"] });
        let added = owners[0].expect(201, "POST", "/v1/clients", Some(&wishes))?;
        let secret = text_of(&added, "client_secret");
        let worlds = [&nodes.nodes[0].world, &nodes.nodes[1].world];
        for token in &made {
            until_all(&followers, &token.token, 200)?;
        }
        for (turn, token) in made.iter().enumerate() {
            let [here, there] = [worlds[turn % 2], worlds[(turn + 1) % 2]];
            assert_eq!(ask(there, INTROSPECT, secret, &token.token)?.json()["active"], true);
            let revoked = ask(here, REVOKE, secret, &token.token)?;
            assert_eq!((revoked.status, revoked.text().as_str()), (200, ""));
            assert_eq!(ask(there, INTROSPECT, secret, &token.token)?.text(), INACTIVE);
            for follower in &followers {
                let asked =
                    once(follower.service.address(), &follower.service.question(&token.token));
                assert_eq!(asked?.status, 401, "a verifier, after {turn} others");
            }
            assert_eq!(there.check(&token.token)?.status, 401);
        }
        owners[1].expect(200, "DELETE", "/v1/clients/billing", None)?;
        for world in worlds {
            let refused = ask(world, INTROSPECT, secret, &made[0].token)?;
            assert_eq!(error(&refused), (401, "invalid_client".to_owned()));
            let forward = world.send(&Request::get("/v1/token_auth").bearer(&made[0].token))?;
            assert_eq!(forward.status, 401);
        }
        Ok(())
    })()
    .expect("the story holds");
}
