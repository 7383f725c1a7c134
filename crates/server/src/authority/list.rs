//! Listing and showing tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_api::tokens::{ListTokens, StatusFilter, Token, TokenList};
use nt_store::{PageRequest, TokenFilter};
use nt_token::{Jti, State, Timestamp, TokenRecord, WorkspaceId};

use crate::authority::access::Action;
use crate::authority::error::{Answer, Refusal};
use crate::authority::restrictions::{network_names, scope_names};
use crate::authority::{Authority, Caller, limits};

impl Authority {
    /// A workspace's tokens, newest first.
    pub async fn list(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        query: ListTokens,
    ) -> Answer<TokenList> {
        self.permitted(caller, workspace, Action::See).await?;
        let page = PageRequest {
            limit: page_limit(query.limit)?,
            after: query.cursor.as_deref().map(read_cursor).transpose()?,
        };
        let now = self.clock.now();
        let filter = match query.status {
            StatusFilter::Active => TokenFilter::Active(now),
            StatusFilter::Expired => TokenFilter::Expired(now),
            StatusFilter::Revoked => TokenFilter::Revoked,
            StatusFilter::All => TokenFilter::All,
        };
        let page = self.store.tokens(workspace, filter, page).await?;
        let last = page.tokens.last().filter(|_| page.more);
        let next_cursor = last.map(|(token, _)| write_cursor(token));
        let tokens: Vec<Token> =
            page.tokens.into_iter().map(|(token, email)| shown(token, email, now)).collect();
        Ok(TokenList { workspace_id: workspace, count: tokens.len() as u64, tokens, next_cursor })
    }

    /// One token of a workspace.
    pub async fn show(&self, caller: &Caller, workspace: WorkspaceId, jti: Jti) -> Answer<Token> {
        self.permitted(caller, workspace, Action::See).await?;
        match self.store.token(workspace, &jti).await? {
            Some((token, email)) => Ok(shown(token, email, self.clock.now())),
            None => Err(Refusal::NoToken(jti).into()),
        }
    }
}

pub(super) fn page_limit(limit: Option<u32>) -> Result<Option<u32>, Refusal> {
    match limit {
        Some(items) if !(1..=limits::PAGE_ITEMS).contains(&items) => {
            let message = format!("'limit' must be from 1 to {}", limits::PAGE_ITEMS);
            Err(Refusal::invalid("limit", message))
        }
        limit => Ok(limit),
    }
}

/// A cursor is the last item's place in the order. It is opaque so that nobody builds on its form.
fn write_cursor(last: &TokenRecord) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", last.created_at.unix(), last.jti))
}

fn read_cursor(cursor: &str) -> Result<(Timestamp, Jti), Refusal> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (at, jti) = text.split_once('.')?;
        Some((Timestamp::from_unix(at.parse().ok()?), jti.parse().ok()?))
    };
    read().ok_or_else(|| Refusal::invalid("cursor", "'cursor' must be a page's 'next_cursor'"))
}

fn shown(token: TokenRecord, email: Option<String>, now: Timestamp) -> Token {
    let status = token.status(now);
    let (revoked_at, revoked_reason) = match token.state {
        State::Live => (None, None),
        State::Revoked { at, reason, .. } => (Some(at), reason),
    };
    Token {
        jti: token.jti,
        created_at: token.created_at,
        expires_at: token.expiry.shown(),
        revoked_at,
        status,
        description: token.description,
        scope: scope_names(&token.scope),
        source_networks: network_names(&token.source_networks),
        created_by: token.created_by,
        created_by_email: email,
        last_used_at: token.used.as_ref().map(|used| used.last_at),
        last_used_from: token.used.as_ref().and_then(|used| used.last_from),
        use_count: token.used.as_ref().map_or(0, |used| used.count),
        revoked_reason,
    }
}
