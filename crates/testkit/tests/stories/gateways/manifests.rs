//! Manifests for Kubernetes, which are not run here: that they are YAML, and say what our documents say
//! of them. Where one repeats a file that is run, it must repeat it word for word.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::install::venv;
use nt_testkit::process;
use serde_json::Value;

const WHO: [&str; 4] = ["X-Auth-Workspace", "X-Auth-Jti", "X-Auth-Scope", "X-Auth-Expires"];

/// The text of a file below `deploy`, and the documents in it.
fn documents(file: &str) -> Result<(String, Vec<Value>)> {
    const READ: &str = "import json, sys, yaml\n\
        print(json.dumps(list(yaml.safe_load_all(sys.stdin))))";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let python = venv("yaml", "PyYAML==6.0.3\n")?.join("python");
    let output = process::run(Command::new(python).args(["-c", READ]), Some(text.as_bytes()))?;
    let documents = output.expect_code(0).with_context(|| file.to_owned())?.json()?;
    let documents = documents.as_array().context("a list of documents")?.clone();
    ensure!(!documents.is_empty(), "{file} is empty");
    Ok((text, documents))
}

/// The manifests of a file, which says of itself that it is not run.
fn not_run(file: &str) -> Result<Vec<Value>> {
    let (text, documents) = documents(&format!("kubernetes/{file}"))?;
    let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
    ensure!(comment.join(" ").contains("Not run by our tests"), "{file} does not say so");
    Ok(documents)
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Result<&'a Value> {
    let found = documents.iter().find(|document| document["kind"] == kind);
    found.with_context(|| format!("no {kind}"))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn ingress_nginx_asks_about_each_request_and_passes_on_who_it_is() -> Result<()> {
    let documents = not_run("ingress-nginx.yaml")?;
    let ingress = of_kind(&documents, "Ingress")?;
    let annotations = ingress["metadata"]["annotations"].as_object().context("annotations")?;
    let of = |name: &str| annotations[&format!("nginx.ingress.kubernetes.io/{name}")].as_str();
    assert!(of("auth-url").is_some_and(|url| url.ends_with(":8480/v1/token_auth")));
    assert_eq!(of("auth-response-headers"), Some(WHO.join(",").as_str()));
    assert!(annotations.keys().all(|name| !name.contains("cache")), "{annotations:?}");
    Ok(())
}

#[test]
fn envoy_gateway_asks_by_grpc_and_lets_nothing_pass_unasked() -> Result<()> {
    let documents = not_run("envoy-gateway.yaml")?;
    let asks = &of_kind(&documents, "SecurityPolicy")?["spec"]["extAuth"];
    assert_eq!(asks["failOpen"], false);
    assert_eq!(asks["grpc"]["backendRefs"][0]["port"], 8480);
    assert!(texts(&asks["headersToExtAuth"]).contains(&"authorization"));
    assert_eq!(asks["bodyToExtAuth"], Value::Null);
    let route = of_kind(&documents, "HTTPRoute")?;
    let removes = &route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["remove"];
    assert_eq!(texts(removes), ["Authorization"]);
    let policy = &of_kind(&documents, "ClientTrafficPolicy")?["spec"];
    assert_eq!(policy["headers"]["withUnderscoresAction"], "DropHeader");
    let removes = texts(&policy["headers"]["earlyRequestHeaders"]["remove"]);
    assert!(WHO.iter().all(|name| removes.contains(name)), "{removes:?}");
    Ok(())
}

#[test]
fn traefik_in_kubernetes_is_what_it_is_outside() -> Result<()> {
    let manifests = not_run("traefik.yaml")?;
    let (_, outside) = documents("traefik/ntd.yaml")?;
    let middlewares = outside[0]["http"]["middlewares"].as_object().context("middlewares")?;
    assert_eq!(middlewares.len(), manifests.len());
    for manifest in manifests {
        assert_eq!(manifest["kind"], "Middleware");
        let name = manifest["metadata"]["name"].as_str().context("a name")?;
        let (mut inside, mut outside) = (manifest["spec"].clone(), middlewares[name].clone());
        for each in [&mut inside, &mut outside] {
            if let Some(forward) = each["forwardAuth"].as_object_mut() {
                let address = forward.remove("address").context("an address")?;
                let address = address.as_str().context("a text")?;
                assert!(address.ends_with(":8480/v1/token_auth"), "{address}");
            }
        }
        assert_eq!(inside, outside, "{name}");
    }
    Ok(())
}

#[test]
fn an_api_server_asks_about_each_request_and_trusts_one_certificate() -> Result<()> {
    let (text, _) = documents("kubernetes/token-review.yaml")?;
    assert!(text.contains("--authentication-token-webhook-cache-ttl=0s\n"));
    let config = &not_run("token-review.yaml")?[0];
    assert_eq!(config["kind"], "Config");
    let named = |list: &str, name: &Value| {
        let found =
            config[list].as_array().into_iter().flatten().find(|each| each["name"] == *name);
        found.cloned().with_context(|| format!("{list} has no {name}"))
    };
    let context = named("contexts", &config["current-context"])?["context"].clone();
    named("users", &context["user"])?;
    let cluster = named("clusters", &context["cluster"])?["cluster"].clone();
    let server = cluster["server"].as_str().context("a URL")?;
    assert!(server.starts_with("https://") && server.ends_with(nt_api::path::TOKEN_REVIEW));
    assert!(cluster["certificate-authority"].is_string());
    assert_eq!(cluster["insecure-skip-tls-verify"], Value::Null);
    Ok(())
}
