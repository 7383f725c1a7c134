// Clerk's own verdict on session tokens. Reads {pem, issuer, authorizedParties, tokens} as JSON from
// standard input, and prints for each token null, or the reason why it is refused.
import { text } from 'node:stream/consumers';
import { verifyToken } from '@clerk/backend';

const { pem, issuer, authorizedParties, tokens } = JSON.parse(await text(process.stdin));
const verdicts = [];
for (const token of tokens) {
  try {
    await verifyToken(token, { jwtKey: pem, issuer, authorizedParties });
    verdicts.push(null);
  } catch (error) {
    verdicts.push(String(error.reason ?? error.message));
  }
}
console.log(JSON.stringify(verdicts));
