//! The register of verifiers, from the command line.

use anyhow::Result;
use nt_testkit::world::Options;
use nt_testkit::{Request, World};
use serde_json::json;

use crate::storage::files_below;
use crate::{MEMBER, OWNER, owner_with_workspace, story, text_of};

/// An authority whose administrator is the owner.
fn administered() -> Result<World> {
    let settings = Some(format!("admins = [\"{OWNER}\"]\n"));
    World::with(Options { settings, ..Options::default() })
}

#[test]
fn a_verifier_is_added_listed_and_removed_by_an_administrator() {
    let mut world = administered().expect("an authority starts");
    let admin = world.signed_in(OWNER).expect("signs in");
    let told = (|| -> Result<()> {
        let credential = admin.ok(&["verifiers", "add", "edge-1"])?;
        let credential = credential.trim_end();
        let random = credential.strip_prefix("ntv_").unwrap_or_default();
        assert_eq!(random.len(), 43, "32 bytes in base64url: {}", random.len());
        let second = admin.json(&["verifiers", "add", "edge-2"])?;
        assert_ne!(text_of(&second, "credential"), credential);

        let list = admin.json(&["verifiers", "list"])?;
        let names: Vec<_> = list["verifiers"].as_array().into_iter().flatten().collect();
        assert_eq!((names.len(), &names[0]["name"]), (2, &json!("edge-1")));
        assert_eq!(names[1]["id"], second["id"]);
        for verifier in &names {
            assert_eq!(verifier["connected"], false, "{verifier}");
            for known_later in
                ["last_connected_at", "version", "position", "lease_ms_left", "last_ack_ms_ago"]
            {
                assert_eq!(verifier[known_later], json!(null), "{known_later}");
            }
        }
        let again = admin.run(&["verifiers", "add", "edge-1"])?.expect_code(1)?;
        assert!(again.stderr.contains("'edge-1' exists already"), "{}", again.stderr);

        let removed = admin.ok(&["verifiers", "remove", "edge-1", "-f"])?;
        assert_eq!(removed, "Verifier edge-1 removed successfully.\n");
        admin.run(&["verifiers", "remove", "edge-1", "-f"])?.expect_code(5)?;
        assert!(!admin.ok(&["verifiers", "list"])?.contains("edge-1"));
        admin.ok(&["verifiers", "add", "edge-1"])?;
        admin.run(&["verifiers", "remove", "edge-2"])?.expect_code(2)?;

        let audit = admin.json(&["audit", "list"])?;
        let records = audit["records"].as_array().into_iter().flatten();
        let about: Vec<_> = records
            .filter(|record| record["action"].as_str().is_some_and(|a| a.starts_with("verifier.")))
            .map(|record| (text_of(record, "action"), text_of(record, "about")))
            .collect();
        let expected = [
            ("verifier.added", "edge-1"),
            ("verifier.removed", "edge-1"),
            ("verifier.added", "edge-2"),
            ("verifier.added", "edge-1"),
        ];
        assert_eq!(about, expected);

        world.stop_and_start()?;
        let list = admin.json(&["verifiers", "list"])?;
        assert_eq!(list["verifiers"].as_array().map(Vec::len), Some(2), "also after a restart");
        assert!(!world.log().contains(random), "a credential is in the log");
        for file in files_below(&world.data_dir())? {
            let bytes = std::fs::read(&file)?;
            let found = bytes.windows(random.len()).any(|part| part == random.as_bytes());
            assert!(!found, "a credential is in {}", file.display());
        }
        Ok(())
    })();
    told.expect("the story holds");
}

#[test]
fn whoever_is_no_administrator_is_told_nothing_of_verifiers() {
    let world = administered().expect("an authority starts");
    let told = (|| -> Result<()> {
        let admin = owner_with_workspace(&world)?;
        admin.ok(&["verifiers", "add", "edge-1"])?;
        admin.ok(&["workspace", "members", "add", MEMBER, "--role", "owner"])?;
        let member = world.signed_in(MEMBER)?;
        let token = world.operator(OWNER)?.create_workspace("other")?.token;
        let with_token = world.ntcli("agent")?.with_env("NTCLI_WORKSPACE_TOKEN", &token);
        let as_session = world.ntcli("agent-2")?.with_env("NTCLI_SESSION_TOKEN", &token);
        for line in [
            ["verifiers", "add", "edge-2"].as_slice(),
            &["verifiers", "list"],
            &["verifiers", "remove", "edge-1", "-f"],
            &["verifiers", "remove", "edge-2", "-f"],
        ] {
            let refused = member.run(line)?.expect_code(4)?;
            let told = "error: Only an administrator of this authority may do this\n";
            assert_eq!((refused.stderr.as_str(), refused.stdout.as_str()), (told, ""), "{line:?}");
            for cli in [&with_token, &as_session] {
                let refused = cli.run(line)?.expect_code(4)?;
                assert!(refused.stderr.contains("Clerk authentication required"), "{line:?}");
            }
        }
        for (method, path) in [
            ("POST", "/v1/verifiers"),
            ("GET", "/v1/verifiers"),
            ("DELETE", "/v1/verifiers/edge-1"),
            ("DELETE", "/v1/verifiers/no%20name"),
        ] {
            let request = Request::new(method, path).json(&json!({ "name": "edge-2" }));
            let answer = world.send(&request.bearer(&token))?;
            let wanted = Some("CLERK_AUTHENTICATION_REQUIRED".to_owned());
            assert_eq!((answer.status, answer.error_code()), (403, wanted), "{method} {path}");
            assert_eq!(world.send(&Request::new(method, path))?.status, 401, "{method} {path}");
        }
        assert_eq!(admin.json(&["verifiers", "list"])?["verifiers"][0]["name"], "edge-1");
        Ok(())
    })();
    told.expect("the story holds");
}

#[test]
fn in_development_everybody_may_and_a_credential_is_kept_by_nobody_on_its_way() {
    story(|world| {
        let anybody = world.operator(MEMBER)?;
        let added = anybody.call("POST", "/v1/verifiers", Some(&json!({ "name": "edge-1" })))?;
        assert_eq!((added.status, added.header("cache-control")), (201, Some("no-store")));
        let taken = anybody.call("POST", "/v1/verifiers", Some(&json!({ "name": "edge-1" })))?;
        assert_eq!((taken.status, taken.error_code()), (409, Some("VERIFIER_EXISTS".to_owned())));
        let missing = anybody.call("DELETE", "/v1/verifiers/edge-2", None)?;
        let wanted = (404, Some("VERIFIER_NOT_FOUND".to_owned()));
        assert_eq!((missing.status, missing.error_code()), wanted);
        anybody.expect(400, "POST", "/v1/verifiers", Some(&json!({ "name": "Edge 1" })))?;
        // A verifier's credential is for the feed: it is nobody's session.
        let credential = added.json()["credential"].as_str().map(str::to_owned);
        let request = Request::get("/v1/verifiers").bearer(&credential.unwrap_or_default());
        assert_eq!(world.send(&request)?.status, 401);
        Ok(())
    });
}
