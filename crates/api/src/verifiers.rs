//! The register of verifiers: services that follow the authority's log and check tokens by it.

use nt_token::{OperatorId, Secret, VerifierId, VerifierName};
use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// How a verifier's credential begins, so that a leaked one is recognised.
pub const CREDENTIAL_PREFIX: &str = "ntv_";

/// Body of `POST /v1/verifiers`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AddVerifier {
    /// 3 to 64 lower-case letters, digits, hyphens and dots; begins with a letter, ends with a letter or
    /// a digit, and has no two dots in a row.
    pub name: String,
}

/// Answer of `POST /v1/verifiers`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifierAdded {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: VerifierName,
    /// Its identifier.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: VerifierId,
    /// What it proves itself with. It is said here and never again.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub credential: Secret,
    /// When it was registered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
}

/// A verifier that is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verifier {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: VerifierName,
    /// Its identifier.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: VerifierId,
    /// When it was registered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
    /// Who registered it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created_by: OperatorId,
    /// When it last connected, at whichever node; `null` where it never did.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub last_connected_at: Option<IsoTime>,
    /// The version of its program when it last connected.
    pub version: Option<String>,
    /// Whether it is connected now, to the node that answers this: others may serve it as well.
    pub connected: bool,
    /// How far it has applied the log, where it is connected there and has said so.
    pub position: Option<VerifierPosition>,
    /// How long it may still give verdicts without hearing from the authority, at the most.
    pub lease_ms_left: Option<u64>,
    /// How long ago it last said how far it has applied the log.
    pub last_ack_ms_ago: Option<u64>,
    /// The processes that follow under its credential at the node that answers this, or may still give
    /// verdicts by its leases. What stands above
    /// is of the one that was heard of last.
    #[serde(default)]
    pub processes: Vec<VerifierProcess>,
}

/// A process that follows under a verifier's credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifierProcess {
    /// What it calls itself, such as by `ntd edge --name`.
    pub name: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// How far it has applied the log.
    pub position: VerifierPosition,
    /// How long it may still give verdicts without hearing from the authority, at the most.
    pub lease_ms_left: u64,
    /// How long ago it last said how far it has applied the log.
    pub last_ack_ms_ago: u64,
}

/// How far a verifier has applied the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifierPosition {
    /// The log's epoch.
    pub epoch: u64,
    /// The entry's number.
    pub seq: u64,
}

/// Answer of `GET /v1/verifiers`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifierList {
    /// The verifiers, by name.
    pub verifiers: Vec<Verifier>,
}

/// Answer of `DELETE /v1/verifiers/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifierRemoved {
    /// Its name, which is free again.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: VerifierName,
    /// `removed`.
    pub status: String,
}
