//! Who may do what, cell by cell, through the HTTP API; and what those learn who are nobody there.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_testkit::operator::Issued;
use nt_testkit::{Connection, Operator, Request, Response};
use nt_token::clock::Stopwatch;
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::jobs::{claims, rule};
use crate::{MEMBER, OUTSIDER, OWNER, report, story};

/// The status that each caller gets for each action.
const TABLE: &str = "
                          owner admin developer viewer nobody job job+revoke admin-job+revoke
    see                     200   200       200    200    404 200        200              200
    list-tokens             200   200       200    200    404 200        200              200
    issue                   201   201       201    403    404 201        201              201
    revoke-own              200   200       200    403    404 403        200              200
    revoke-another's        200   200       403    403    404 403        403              200
    refresh-own             201   201       201    403    404 403        201              201
    refresh-another's       201   201       403    403    404 403        403              201
    describe                200   200       403    403    404 403        403              403
    list-members            200   200       200    200    404 200        200              200
    add-member              201   201       403    403    404 403        403              403
    add-owner               201   403       403    403    404 403        403              403
    change-role             200   200       403    403    404 403        403              403
    make-owner              200   403       403    403    404 403        403              403
    unmake-owner            200   403       403    403    404 403        403              403
    remove-member           200   200       403    403    404 403        403              403
    remove-and-revoke       200   200       403    403    404 403        403              403
    remove-owner            200   403       403    403    404 403        403              403
    delete-workspace        200   403       403    403    404 403        403              403
";

const MISSING: &str = "00000000-0000-4000-8000-000000000000";

/// A caller in a workspace of its own, and the owner who sets each scene.
struct Stage<'a> {
    owner: &'a Operator,
    caller: &'a Operator,
    workspace: String,
    /// Two tokens that the caller had issued.
    own: [Issued; 2],
}

impl Stage<'_> {
    fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}{rest}", self.workspace)
    }

    /// What the owner sees: all that an action could have changed.
    fn seen(&self) -> Result<[Value; 3]> {
        let see = |rest: &str| self.owner.expect(200, "GET", &self.path(rest), None);
        Ok([see("")?, see("/tokens?status=all")?, see("/members")?])
    }

    /// Lets the outsider be this in the workspace, or nothing.
    fn let_outsider_be(&self, role: Option<&str>) -> Result<()> {
        let path = self.path(&format!("/members/{OUTSIDER}"));
        let gone = self.owner.call("DELETE", &path, None)?;
        anyhow::ensure!(matches!(gone.status, 200 | 404), "{}", gone.text());
        if let Some(role) = role {
            let body = json!({ "email": OUTSIDER, "role": role });
            self.owner.expect(201, "POST", &self.path("/members"), Some(&body))?;
        }
        Ok(())
    }

    /// Sets the scene of an action; the request for it.
    fn scene(&self, action: &str) -> Result<(&'static str, String, Option<Value>)> {
        let outsider = format!("/members/{OUTSIDER}");
        let another = || self.owner.create_token(&self.workspace, &json!({}));
        Ok(match action {
            "see" => ("GET", String::new(), None),
            "list-tokens" => ("GET", "/tokens".to_owned(), None),
            "issue" => ("POST", "/tokens".to_owned(), Some(json!({}))),
            "revoke-own" => ("DELETE", format!("/tokens/{}", self.own[0].jti), None),
            "revoke-another's" => ("DELETE", format!("/tokens/{}", another()?.jti), None),
            "refresh-own" => {
                ("POST", format!("/tokens/{}/refresh", self.own[1].jti), Some(json!({})))
            }
            "refresh-another's" => {
                ("POST", format!("/tokens/{}/refresh", another()?.jti), Some(json!({})))
            }
            "describe" => ("PATCH", String::new(), Some(json!({ "description": "new" }))),
            "list-members" => ("GET", "/members".to_owned(), None),
            "add-member" | "add-owner" => {
                self.let_outsider_be(None)?;
                let role = if action == "add-owner" { "owner" } else { "viewer" };
                let body = json!({ "email": OUTSIDER, "role": role });
                ("POST", "/members".to_owned(), Some(body))
            }
            "change-role" | "make-owner" => {
                self.let_outsider_be(Some("viewer"))?;
                let role = if action == "make-owner" { "owner" } else { "developer" };
                ("PATCH", outsider, Some(json!({ "role": role })))
            }
            "unmake-owner" => {
                self.let_outsider_be(Some("owner"))?;
                ("PATCH", outsider, Some(json!({ "role": "viewer" })))
            }
            "remove-member" | "remove-and-revoke" | "remove-owner" => {
                let role = if action == "remove-owner" { "owner" } else { "developer" };
                self.let_outsider_be(Some(role))?;
                let query = match action {
                    "remove-and-revoke" => "?revoke_their_tokens=true",
                    _ => "",
                };
                ("DELETE", format!("{outsider}{query}"), None)
            }
            "delete-workspace" => ("DELETE", String::new(), None),
            _ => anyhow::bail!("no such action: {action}"),
        })
    }

    /// The status that the caller gets. Where the answer is no, nothing has changed, and to whom is
    /// nobody here the workspace looks like one that does not exist.
    fn status(&self, action: &str) -> Result<u16> {
        let (method, rest, body) = self.scene(action)?;
        let before = self.seen()?;
        let answer = self.caller.call(method, &self.path(&rest), body.as_ref())?;
        if answer.status >= 400 {
            assert_eq!(self.seen()?, before, "{action} was refused and done");
        }
        let code = answer.error_code();
        match answer.status {
            403 => assert_eq!(code.as_deref(), Some("INSUFFICIENT_PERMISSIONS"), "{action}"),
            404 => {
                let path = format!("/v1/workspaces/{MISSING}{rest}");
                let none = self.caller.call(method, &path, body.as_ref())?;
                assert_eq!(said(&answer), said(&none), "{action}");
            }
            _ => assert_eq!(code, None, "{action}: {}", answer.text()),
        }
        Ok(answer.status)
    }
}

/// An answer without what differs from request to request.
fn said(answer: &Response) -> (u16, Value, Vec<&(String, String)>) {
    let mut body = answer.json();
    if let Some(error) = body["error"].as_object_mut() {
        error.remove("request_id");
    }
    let changing = ["date", "x-request-id"];
    let headers = answer.headers.iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    (answer.status, body, headers.collect())
}

/// The actions, and the status in each cell of this caller's column.
fn column(caller: &str) -> Result<Vec<(&'static str, u16)>> {
    let mut lines = TABLE.lines().filter(|line| !line.is_empty()).map(str::split_whitespace);
    let mut head = lines.next().context("a head")?;
    let column = head.position(|name| name == caller).context("a caller")?;
    let cell = |mut line: std::str::SplitWhitespace<'static>| {
        let action = line.next().context("an action")?;
        let status = line.nth(column).with_context(|| format!("{action} of {caller}"))?;
        Ok((action, status.parse()?))
    };
    lines.map(cell).collect()
}

/// Plays all actions as this caller; where the status is another than the table says.
fn differing(stage: &Stage<'_>, caller: &str) -> Result<Vec<String>> {
    let mut differing = Vec::new();
    for (action, status) in column(caller)? {
        let is = stage.status(action).with_context(|| format!("{caller}: {action}"))?;
        if is != status {
            differing.push(format!("{caller}: {action} is {is}, not {status}"));
        }
    }
    Ok(differing)
}

#[test]
fn every_role_may_do_exactly_what_the_table_says() {
    story(|world| {
        let (owner, member) = (world.operator(OWNER)?, world.operator(MEMBER)?);
        world.operator(OUTSIDER)?;
        let mut all = Vec::new();
        for role in ["owner", "admin", "developer", "viewer", "nobody"] {
            let workspace = owner.create_workspace(&format!("of-{role}"))?.workspace;
            let members = format!("/v1/workspaces/{workspace}/members");
            let body = json!({ "email": MEMBER, "role": "developer" });
            owner.expect(201, "POST", &members, Some(&body))?;
            let own = || member.create_token(&workspace, &json!({}));
            let own = [own()?, own()?];
            let path = format!("{members}/{MEMBER}");
            if role == "nobody" {
                owner.expect(200, "DELETE", &path, None)?;
            } else {
                owner.expect(200, "PATCH", &path, Some(&json!({ "role": role })))?;
            }
            let stage = Stage { owner: &owner, caller: &member, workspace, own };
            all.extend(differing(&stage, role)?);
        }
        assert!(all.is_empty(), "{all:#?}");
        Ok(())
    });
}

#[test]
fn a_job_may_do_exactly_what_the_table_says() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        world.operator(OUTSIDER)?;
        let issuer = Issuer::start()?;
        let (mut rules, mut jobs) = (String::new(), Vec::new());
        for (caller, name, grant) in [
            ("job", "plain", "role = \"developer\""),
            ("job+revoke", "revoking", "role = \"developer\"\nmay_revoke = true"),
            ("admin-job+revoke", "admin", "role = \"admin\"\nmay_revoke = true"),
        ] {
            let (workspace, repository) =
                (owner.create_workspace(name)?.workspace, format!("acme/{name}"));
            rules.push_str(&rule(&issuer, &repository, &workspace, grant));
            jobs.push((caller, repository, workspace));
        }
        world.restart_with(rules)?;
        let mut all = Vec::new();
        for (caller, repository, workspace) in jobs {
            let token = issuer.sign(&claims(&repository))?;
            let job = Operator::exchange(world.address(), &token)?;
            let own = || job.create_token(&workspace, &json!({}));
            let own = [own()?, own()?];
            // Its rule is for one workspace; elsewhere it is nobody.
            let elsewhere = owner.create_workspace(&format!("{}-2", &repository[5..]))?;
            let path = format!("/v1/workspaces/{}", elsewhere.workspace);
            let answer = job.call("GET", &path, None)?;
            assert_eq!(answer.error_code().as_deref(), Some("WORKSPACE_NOT_FOUND"));
            let stage = Stage { owner: &owner, caller: &job, workspace, own };
            all.extend(differing(&stage, caller)?);
        }
        assert!(all.is_empty(), "{all:#?}");
        Ok(())
    });
}

#[test]
fn an_answer_about_anothers_workspace_takes_as_long_as_about_none() {
    const ROUNDS: usize = 200;
    /// Far above what a loaded machine does to a median, and far below what a step that is left out
    /// would.
    const FACTOR: f64 = 2.0;
    story(|world| {
        let (owner, stranger) = (world.operator(OWNER)?, world.operator(MEMBER)?);
        let theirs = owner.create_workspace("main")?;
        for (method, rest) in [
            ("GET", String::new()),
            ("GET", "/tokens".to_owned()),
            ("GET", "/members".to_owned()),
            ("DELETE", format!("/tokens/{}", theirs.jti)),
        ] {
            let request = |workspace: &str| {
                let path = format!("/v1/workspaces/{workspace}{rest}");
                Request::new(method, &path).bearer(&stranger.session).render()
            };
            let requests = [request(&theirs.workspace), request(MISSING)];
            let [theirs, none] = medians(world.address(), &requests, ROUNDS)?;
            let ratio = theirs.as_secs_f64() / none.as_secs_f64();
            report(&format!("{method} {rest:.10}: {theirs:?} for another's, {none:?} for none"))?;
            assert!((1.0 / FACTOR..FACTOR).contains(&ratio), "{method} {rest}: {ratio}");
        }
        Ok(())
    });
}

/// The median time that each of two requests takes, one after the other on one connection.
fn medians(address: SocketAddr, requests: &[Vec<u8>; 2], rounds: usize) -> Result<[Duration; 2]> {
    let mut connection = Connection::open(address)?;
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for which in [round % 2, 1 - round % 2] {
            let watch = Stopwatch::start();
            let answer = connection.exchange(&requests[which])?;
            times[which].push(watch.elapsed());
            assert_eq!(answer.status, 404);
        }
    }
    Ok(times.map(|mut times| {
        times.sort();
        times[rounds / 2]
    }))
}
