// The emulator of Clerk's APIs, with one user in one organisation. Prints its address; ends with its
// standard input. The first argument is a comma-separated list of redirect URIs.
import { createServer } from 'node:net';
import { once } from 'node:events';
import { createEmulator } from 'emulate';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const port = await freePort();
const emulator = await createEmulator({
  service: 'clerk',
  port,
  baseUrl: `http://127.0.0.1:${port}`,
  seed: {
    tokens: { sk_test_admin: { login: 'admin', scopes: [] } },
    clerk: {
      users: [{
        clerk_id: 'user_ada', first_name: 'Ada', last_name: 'Admin',
        email_addresses: ['ada@example.com'],
      }],
      organizations: [{
        clerk_id: 'org_acme', name: 'Acme', slug: 'acme',
        members: [{ email: 'ada@example.com', role: 'admin' }],
      }],
      oauth_applications: [{
        client_id: 'ntcli', name: 'ntcli', public: true, redirect_uris: process.argv[2].split(','),
      }],
    },
  },
});
console.log(`http://127.0.0.1:${port}`);
process.stdin.resume();
await once(process.stdin, 'end');
await emulator.close();
process.exit(0);
