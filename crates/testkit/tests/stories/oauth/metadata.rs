//! What is published of the authority, and who is sent there.

use nt_testkit::world::Options;
use nt_testkit::{Request, World};
use serde_json::json;

use crate::story;

const SERVER: &str = "/.well-known/oauth-authorization-server";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

#[test]
fn the_documents_say_what_there_is_and_nothing_that_is_not() {
    story(|world| {
        let url = world.url();
        let server = world.send(&Request::get(SERVER))?;
        let expected = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/.well-known/jwks.json"),
            "introspection_endpoint": format!("{url}/oauth2/introspect"),
            "introspection_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "Bearer"],
            "revocation_endpoint": format!("{url}/oauth2/revoke"),
            "revocation_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post"],
            "status_list_aggregation_endpoint": format!("{url}/v1/status-lists"),
            "response_types_supported": [],
            "grant_types_supported": [],
        });
        let document = server.json();
        for (name, value) in expected.as_object().into_iter().flatten() {
            assert_eq!(&document[name], value, "{name}");
        }
        let places = document.as_object().into_iter().flatten().filter_map(|(_, at)| at.as_str());
        for place in places.filter_map(|at| at.strip_prefix(&url)).filter(|path| !path.is_empty()) {
            let status = world.send(&Request::get(place))?.status;
            assert!(matches!(status, 200 | 405), "{place}: {status}");
        }
        let resource = world.send(&Request::get(RESOURCE))?.json();
        assert_eq!(resource["resource"], url);
        assert_eq!(resource["authorization_servers"], json!([url]));
        assert_eq!(resource["bearer_methods_supported"], json!(["header"]));
        for path in [SERVER, RESOURCE] {
            assert_eq!(world.send(&Request::get(&format!("{path}/below")))?.status, 404);
            assert_eq!(world.send(&Request::get(&format!("{path}/")))?.status, 404);
        }
        Ok(())
    });
}

#[test]
fn an_issuer_with_a_path_has_its_documents_where_clients_look_for_them() {
    let settings = "issuer = \"https://auth.example.com/tokens\"\n".to_owned();
    let world = World::with(Options { settings: Some(settings), ..Options::default() });
    let world = world.expect("an authority starts");
    let get = |path: &str| world.send(&Request::get(path)).expect("an answer");
    let server = get(&format!("{SERVER}/tokens")).json();
    let issuer = "https://auth.example.com/tokens";
    assert_eq!(server["issuer"], issuer);
    assert_eq!(server["revocation_endpoint"], format!("{issuer}/oauth2/revoke"));
    assert_eq!(get(&format!("{RESOURCE}/tokens")).json()["resource"], issuer);
    assert_eq!(get(&format!("{SERVER}/token")).status, 404);
    let challenge = get("/v1/workspaces");
    let at = "resource_metadata=\"https://auth.example.com/.well-known/oauth-protected-resource/tokens\"";
    let challenge = challenge.header("www-authenticate").unwrap_or_default();
    assert!(challenge.ends_with(at), "{challenge}");
}

#[test]
fn whoever_is_not_signed_in_is_told_where_the_api_is_described_but_a_gateways_user_is_not() {
    story(|world| {
        let at = format!("resource_metadata=\"{}{RESOURCE}\"", world.url());
        let bare = world.send(&Request::get("/v1/workspaces"))?;
        let expected = format!("Bearer realm=\"ntd\", {at}");
        assert_eq!(bare.header("www-authenticate"), Some(expected.as_str()));
        let wrong = world.send(&Request::get("/v1/workspaces").bearer("nts_wrong"))?;
        assert!(wrong.header("www-authenticate").unwrap_or_default().ends_with(&at));
        for request in
            [Request::get("/v1/token_auth"), Request::get("/v1/token_auth").bearer("wst_a.b.c")]
        {
            let answer = world.send(&request)?;
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Bearer realm=\"ntd\""), "{challenge}");
            assert!(!challenge.contains("resource_metadata"), "{challenge}");
        }
        Ok(())
    });
}
