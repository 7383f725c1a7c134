// Verifies workspace tokens in a Node service: npm `jose` for the token, Node's own zlib for the list
// that says whether it was revoked. Copy this file and package.json; then
//
//   npm install
//   ISSUER=https://ntd.example AUDIENCE=https://ntd.example node server.mjs
//
// What it does NOT promise: that a revoked token is refused at once. A Token Status List is relied on
// for its ttl (60 s), so that a token is accepted for up to 61 s after its revocation was answered, and
// for longer where a cache stands between you and ntd. For "refused from then on", put `ntd edge` or
// nginx with forward-auth in front of this service, and verify nothing here.
//
// Whatever cannot be known is refused: no keys or no list means 503, never 200.
import { createServer } from 'node:http';
import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const ISSUER = process.env.ISSUER ?? 'http://127.0.0.1:8480';
const AUDIENCE = process.env.AUDIENCE ?? ISSUER;
// In seconds; less than a list's own ttl has it fetched more often.
const LIST_MAX_AGE = Number(process.env.LIST_MAX_AGE ?? 60);
const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'];

// Kept for as long as ntd says that keys may be: a revoked key is gone a minute later.
const keys = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`), {
  cacheMaxAge: 60_000,
  timeoutDuration: 5_000,
});
const lists = new Map(); // URI -> { until, bits }, the latter a promise

class Refused extends Error {} // 401: this token is not good
class Unknown extends Error {} // 503: nobody can say whether it is

/** The claims of a token that is good, as far as the lists say. */
export async function verify(token) {
  const claims = await checked(token.replace(/^wst_/, ''));
  const { uri, idx } = claims.status.status_list;
  const bits = await listed(uri);
  if (!(idx >= 0 && idx < bits.length * 8)) throw new Refused('not in its list');
  if ((bits[idx >> 3] >> (idx & 7)) & 1) throw new Refused('revoked');
  return claims;
}

async function checked(jwt) {
  const expected = {
    issuer: ISSUER,
    audience: AUDIENCE,
    typ: 'at+jwt',
    algorithms: ALGORITHMS,
    requiredClaims: ['exp', 'sub', 'jti', 'status'],
  };
  try {
    return (await jwtVerify(jwt, keys, expected)).payload;
  } catch (error) {
    const isToken = /^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT_SUPPORTED|JWKS_NO_MATCHING)/.test(error.code);
    throw isToken ? new Refused(error.code) : new Unknown(`the keys: ${error.message}`);
  }
}

/** The list's bits: the one that is kept, or a new one. Many who wait for one fetch it once. */
function listed(uri) {
  if (!uri.startsWith(`${ISSUER}/v1/status-lists/`)) throw new Refused('a list of somebody else');
  const now = Date.now();
  const kept = lists.get(uri);
  if (kept && now < kept.until) return kept.bits;
  const entry = { until: now + 10_000, bits: fetchList(uri, now) };
  entry.bits = entry.bits.then(({ bits, until }) => ((entry.until = until), bits));
  entry.bits.catch(() => lists.get(uri) === entry && lists.delete(uri));
  lists.set(uri, entry);
  return entry.bits;
}

async function fetchList(uri, asked) {
  try {
    const accept = 'application/statuslist+jwt';
    const answer = await fetch(uri, { headers: { accept }, signal: AbortSignal.timeout(5_000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { payload } = await jwtVerify(await answer.text(), keys, {
      issuer: ISSUER,
      subject: uri,
      typ: 'statuslist+jwt',
      algorithms: ALGORITHMS,
      requiredClaims: ['exp', 'iat', 'status_list'],
    });
    if (payload.status_list.bits !== 1) throw new Error('not a list of single bits');
    const bits = inflateSync(Buffer.from(payload.status_list.lst, 'base64url'), {
      maxOutputLength: 1 << 20,
    });
    const age = Math.min(payload.ttl ?? LIST_MAX_AGE, LIST_MAX_AGE);
    return { bits, until: Math.min(asked + age * 1000, payload.exp * 1000) };
  } catch (error) {
    throw new Unknown(`the list: ${error.message}`);
  }
}

/** A middleware: `next` is called for a good token, whose claims are then `request.token`. */
export async function requireToken(request, response, next) {
  const token = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  const refuse = (status, headers) => response.writeHead(status, headers).end();
  if (!token) return refuse(401, { 'www-authenticate': 'Bearer' });
  try {
    request.token = await verify(token);
  } catch (error) {
    if (error instanceof Refused) {
      return refuse(401, { 'www-authenticate': 'Bearer error="invalid_token"' });
    }
    console.error(error.message);
    return refuse(503, { 'retry-after': '1' });
  }
  return next();
}

createServer((request, response) =>
  requireToken(request, response, () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ workspace: request.token.sub, scope: request.token.scope }));
  }),
).listen(Number(process.env.PORT ?? 8000), '127.0.0.1');
