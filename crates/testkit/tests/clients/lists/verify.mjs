// Verifies tokens as a third party does that knows nothing of ntd but its issuer: with `jose`, the
// keys at /.well-known/jwks.json and, by `@sd-jwt/jwt-status-list`, the list that the token names.
//
//   node verify.mjs ISSUER   < tokens, one a line   > a line of JSON each
import { createInterface } from 'node:readline';
import { getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const issuer = process.argv[2];
const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer));

async function look(token) {
  const jwt = token.replace(/^wst_/, '');
  const { protectedHeader } = await jwtVerify(jwt, keys, { issuer, audience: issuer, typ: 'at+jwt' });
  const { idx, uri } = getStatusListFromJWT(jwt);
  const answer = await fetch(uri, { headers: { accept: 'application/statuslist+jwt' } });
  if (answer.status !== 200) throw new Error(`the list: ${answer.status}`);
  const list = await answer.text();
  const signed = await jwtVerify(list, keys, { subject: uri, typ: 'statuslist+jwt' });
  return {
    alg: protectedHeader.alg,
    status: getListFromStatusListJWT(list).getStatus(idx),
    listAlg: signed.protectedHeader.alg,
    media: answer.headers.get('content-type'),
    cached: answer.headers.get('cache-control'),
    ttl: signed.payload.ttl,
  };
}

for await (const token of createInterface({ input: process.stdin })) {
  const verdict = await look(token).catch((error) => ({ refused: error.code ?? error.message }));
  console.log(JSON.stringify(verdict));
}
