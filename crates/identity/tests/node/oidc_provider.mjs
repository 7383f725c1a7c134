// A certified OpenID provider, configured as Clerk's OAuth applications are: a public client with
// PKCE, and refresh tokens that rotate. Prints its issuer; a line on standard input with the name of
// an algorithm puts a new key of that kind in the old one's place ("rotated" is printed then).
import { once } from 'node:events';
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const kinds = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};
const algorithm = process.argv[2];
const cookieKey = randomUUID();

function key(alg) {
  const jwk = kinds[alg]().privateKey.export({ format: 'jwk' });
  return { ...jwk, kid: randomUUID(), use: 'sig', alg: alg === 'EdDSA' ? 'EdDSA' : alg };
}

// What the provider remembers; it outlives a change of keys, as a real one's database does.
const stored = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn ? Date.now() + expiresIn * 1000 : Infinity;
    stored.set(`${this.model}:${id}`, { payload, expiresAt });
  }

  async find(id) {
    const { payload, expiresAt } = stored.get(`${this.model}:${id}`) ?? { expiresAt: 0 };
    return expiresAt > Date.now() ? payload : undefined;
  }

  async findByUid(uid) {
    const all = [...stored].filter(([key]) => key.startsWith(`${this.model}:`));
    return all.map(([, { payload }]) => payload).find((payload) => payload.uid === uid);
  }

  async consume(id) {
    stored.get(`${this.model}:${id}`).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    stored.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of stored) {
      if (payload.grantId === grantId) stored.delete(key);
    }
  }
}

function provider(issuer, alg) {
  return new Provider(issuer, {
    adapter: Adapter,
    clients: [{
      client_id: 'ntcli',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback'],
      id_token_signed_response_alg: alg,
    }],
    clientAuthMethods: ['none'],
    conformIdTokenClaims: false,
    cookies: { keys: [cookieKey] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    async findAccount(ctx, id) {
      const claims = { sub: id, email: `${id}@example.com`, email_verified: true, name: id };
      return { accountId: id, claims: async () => claims };
    },
    jwks: { keys: [key(alg)] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 300, Interaction: 600, RefreshToken: 600, Session: 600 },
  });
}

let callback;
const server = createServer((request, response) => callback(request, response));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
callback = provider(issuer, algorithm).callback();
console.log(issuer);

for await (const line of createInterface({ input: process.stdin })) {
  callback = provider(issuer, line.trim()).callback();
  console.log('rotated');
}
process.exit(0);
