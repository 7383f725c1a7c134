//! Trusted publishing: the jobs of CI platforms sign in without a stored secret, where a rule says
//! whose jobs. Choosing and checking a rule is pure; [`TrustedIssuers`] brings the keys.

mod job_token;
mod pattern;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use nt_token::clock::Clock;
use nt_token::{Timestamp, WorkspaceId};

use self::job_token::{checked, unverified};
use self::pattern::Pattern;
use crate::http_client::HttpClient;
use crate::id_token::VerifiedIdentity;
use crate::oidc::secure;
use crate::provider::{BadSettings, IdentifyError};
use crate::provider_keys::ProviderKeys;

pub use self::job_token::TrustRefused;

/// How many rules there may be, and claims in one.
const MOST_RULES: usize = 1_000;
const MOST_CLAIMS: usize = 32;

/// Issuers whose tokens anybody in the world can have, with a repository of their own.
const PUBLIC_ISSUERS: [&str; 2] =
    ["https://token.actions.githubusercontent.com", "https://gitlab.com"];

/// Claims that say whose the repository is. Those of the first kind do so by what they begin with,
/// up to a slash; those of the second as a whole.
const OWNED_BY_BEGINNING: [&str; 3] = ["sub", "repository", "project_path"];
const OWNED_AS_A_WHOLE: [&str; 8] = [
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "enterprise",
    "enterprise_id",
    "project_id",
    "namespace_id",
    "namespace_path",
];

/// Whose jobs may act in a workspace, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRule {
    /// What the rule is called, in logs and in records.
    pub name: String,
    /// The platform's issuer, exactly as it names itself.
    pub issuer: String,
    /// The audience that a job's token must have, and no other.
    pub audience: String,
    /// The claims that a job's token must have, each with a pattern: `*` stands for any characters
    /// but `/`, everything else for itself. A text, a whole number or a boolean is compared as text.
    pub claims: BTreeMap<String, String>,
    /// Where the job may act.
    pub workspace: WorkspaceId,
    /// As what.
    pub role: String,
    /// Whether it may also revoke.
    pub may_revoke: bool,
}

/// A job that a rule lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedJob {
    /// The rule: the first of those configured that matches.
    pub rule: Arc<TrustRule>,
    /// Who: the subject is `<issuer> <sub>`, so that no person of the same issuer is ever the job.
    pub identity: VerifiedIdentity,
    /// When the job's token expires.
    pub expires_at: Timestamp,
    /// The token's identifier, where it has one: who keeps it can refuse the token a second time.
    pub jti: Option<String>,
}

/// A rule with its patterns read.
#[derive(Debug)]
struct ReadRule {
    rule: Arc<TrustRule>,
    claims: Vec<(String, Pattern)>,
}

/// The rules, and the keys of their issuers.
#[derive(Debug)]
pub struct TrustedIssuers {
    rules: Vec<ReadRule>,
    keys: HashMap<String, ProviderKeys>,
}

impl TrustedIssuers {
    /// The issuers of these rules. Nobody is asked yet.
    pub fn new(rules: Vec<TrustRule>) -> Result<Self, BadSettings> {
        if rules.len() > MOST_RULES {
            let what = format!("there are more than {MOST_RULES}");
            return Err(BadSettings::TrustRule { name: String::new(), what });
        }
        let client = HttpClient::new()?;
        let mut keys = HashMap::new();
        let mut read = Vec::new();
        for rule in rules {
            let rule = ReadRule::read(rule)?;
            if read.iter().any(|other: &ReadRule| other.rule.name == rule.rule.name) {
                return Err(rule.bad("there is another rule of this name"));
            }
            let issuer = &rule.rule.issuer;
            keys.entry(issuer.clone())
                .or_insert_with(|| ProviderKeys::of(issuer.clone(), client.clone()));
            read.push(rule);
        }
        Ok(Self { rules: read, keys })
    }

    /// Which rule lets the holder of this token in.
    pub async fn identify(&self, token: &str, now: Timestamp) -> Result<TrustedJob, IdentifyError> {
        let claimed = unverified(token).map_err(crate::provider::IdentityRefused::from)?;
        let keys = self.keys.get(&claimed.iss).ok_or(TrustRefused::Issuer);
        let keys = keys.map_err(crate::provider::IdentityRefused::from)?;
        let keys = keys.for_token(claimed.kid.as_deref(), now).await?;
        let job = checked(token, &keys, &claimed.iss, now)
            .and_then(|claims| claims.admitted_by(&self.rules))
            .map_err(crate::provider::IdentityRefused::from)?;
        Ok(job)
    }

    /// Whether a token's unverified issuer is one that a rule names: where to take a token whose kind
    /// is not said.
    pub fn knows_issuer_of(&self, token: &str) -> bool {
        unverified(token).is_ok_and(|claimed| self.keys.contains_key(&claimed.iss))
    }

    /// Fetches the keys of all issuers now and again before they grow old. Never ends.
    pub async fn keep_keys_fresh(&self, clock: Arc<dyn Clock>) {
        let mut tasks = tokio::task::JoinSet::new();
        for keys in self.keys.values() {
            let (keys, clock) = (keys.clone(), Arc::clone(&clock));
            tasks.spawn(async move { keys.keep_fresh(clock.as_ref()).await });
        }
        while tasks.join_next().await.is_some() {}
        std::future::pending::<()>().await;
    }
}

impl ReadRule {
    fn read(rule: TrustRule) -> Result<Self, BadSettings> {
        secure("the issuer of a trust rule", &rule.issuer)?;
        let mut read = Self { rule: Arc::new(rule), claims: Vec::new() };
        for (what, text) in [
            ("name", &read.rule.name),
            ("audience", &read.rule.audience),
            ("role", &read.rule.role),
        ] {
            if text.is_empty() || text.len() > pattern::LONGEST {
                return Err(read.bad(&format!("its {what} is empty or too long")));
            }
        }
        for (claim, pattern) in &read.rule.claims {
            let pattern = Pattern::parse(pattern)
                .map_err(|reason| read.bad(&format!("claim {claim:?}: {reason}")))?;
            read.claims.push((claim.clone(), pattern));
        }
        if read.claims.len() > MOST_CLAIMS {
            return Err(read.bad("it has too many claims"));
        }
        read.is_somebodys()?;
        Ok(read)
    }

    /// A rule that does not say whose jobs would let everybody in who has an account there.
    fn is_somebodys(&self) -> Result<(), BadSettings> {
        let said = |(claim, _): &&(String, Pattern)| !["iss", "aud"].contains(&claim.as_str());
        let mut restricting = self.claims.iter().filter(said);
        if !restricting.any(|(_, pattern)| pattern.restricts()) {
            return Err(
                self.bad("it needs a claim besides issuer and audience that says whose jobs")
            );
        }
        let public = PUBLIC_ISSUERS.contains(&self.rule.issuer.as_str());
        if public && !self.claims.iter().any(|(claim, pattern)| names_owner(claim, pattern)) {
            let what = "everybody can have tokens of this issuer: it needs a claim that names the \
                        repository or its owner, without an asterisk before the first slash";
            return Err(self.bad(what));
        }
        Ok(())
    }

    fn bad(&self, what: &str) -> BadSettings {
        BadSettings::TrustRule { name: self.rule.name.clone(), what: what.to_owned() }
    }
}

fn names_owner(claim: &str, pattern: &Pattern) -> bool {
    let by_beginning = OWNED_BY_BEGINNING.contains(&claim);
    let whole = OWNED_AS_A_WHOLE.contains(&claim);
    by_beginning && pattern.literal_beginning().contains('/') || whole && pattern.is_exact()
}

#[cfg(test)]
mod tests;
