//! Settings that can be used, and those that cannot.

use super::*;

fn settings() -> ClerkSettings {
    ClerkSettings {
        frontend_api: "clerk.example.com".to_owned(),
        client_id: "ntcli".to_owned(),
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        authorized_parties: Vec::new(),
        jwt_key: None,
        secret_key: None,
        api_url: None,
    }
}

#[test]
fn the_frontend_api_is_the_issuer_however_it_is_written() {
    for frontend_api in
        ["clerk.example.com", "https://clerk.example.com", " https://clerk.example.com/ "]
    {
        let settings = ClerkSettings { frontend_api: frontend_api.to_owned(), ..settings() };
        let provider = ClerkProvider::new(settings).expect("usable");
        assert_eq!(provider.issuer(), "https://clerk.example.com", "{frontend_api}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    for (settings, message) in [
        (
            ClerkSettings { frontend_api: "http://clerk.example.com".to_owned(), ..settings() },
            "clerk.frontend_api is not an https URL",
        ),
        (
            ClerkSettings { frontend_api: String::new(), ..settings() },
            "clerk.frontend_api is not an https URL",
        ),
        (ClerkSettings { client_id: String::new(), ..settings() }, "clerk.client_id is empty"),
        (ClerkSettings { scopes: vec!["email".to_owned()], ..settings() }, "must contain openid"),
        (ClerkSettings { jwt_key: Some("key".to_owned()), ..settings() }, "jwt_key is not"),
        (
            ClerkSettings { api_url: Some("http://api.clerk.com".to_owned()), ..settings() },
            "clerk.api_url is not an https URL",
        ),
    ] {
        let error = ClerkProvider::new(settings).expect_err("not usable").to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn what_is_no_bearer_token_is_never_sent_anywhere() {
    for (token, opaque) in [
        ("oat_abc-DEF.1~+/=", true),
        ("", false),
        ("a.b.c", false),
        ("with space", false),
        ("line\r\nbreak", false),
        ("ä", false),
    ] {
        assert_eq!(is_opaque(token), opaque, "{token:?}");
    }
    assert!(!is_opaque(&"x".repeat(id_token::LONGEST + 1)));
}
