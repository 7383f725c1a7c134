// An MCP client by the official SDK: client.mjs URL TOKEN. It prints a JSON line for each thing that it
// does or that happens to it, and goes on when a line comes in.
import { once } from "node:events";
import { createInterface } from "node:readline";
import {
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, token] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
const input = createInterface({ input: process.stdin });

const transport = new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: { Authorization: `Bearer ${token}` } },
});
const client = new Client({ name: "story", version: "1.0.0" });

let ticks = 0;
const ticked = new Promise((resolve) => {
  client.setNotificationHandler(LoggingMessageNotificationSchema, () => {
    if (++ticks === 3) resolve();
  });
});
client.onerror = (error) => say({ error: error.message, code: error.code });

await client.connect(transport);
const { tools } = await client.listTools();
say({ tools: tools.map((tool) => tool.name).sort() });
const added = await client.callTool({ name: "add", arguments: { a: 2, b: 3 } });
say({ sum: added.content[0].text });
const who = await client.callTool({ name: "whoami" });
say({ who: JSON.parse(who.content[0].text) });
await ticked;
say({ notified: true });

await once(input, "line");
const before = ticks;
const refused = await client.callTool({ name: "add", arguments: { a: 1, b: 1 } }).then(
  () => null,
  (error) => error,
);
say({ refused: refused && { name: refused.constructor.name, code: refused.code }, late: ticks - before });

// What a client does with the challenge.
const answer = await fetch(url, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(answer);
const told = await discoverOAuthProtectedResourceMetadata(url, { resourceMetadataUrl });
const found = await discoverOAuthProtectedResourceMetadata(url);
say({ status: answer.status, at: resourceMetadataUrl, scope, told, found });
process.exit(0);
