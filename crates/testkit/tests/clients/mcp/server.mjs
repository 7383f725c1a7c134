// An MCP server by the official SDK (Streamable HTTP), which knows nothing of tokens. It prints its port.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

const sessions = new Map();

function serve(whose) {
  const server = new McpServer(
    { name: "sums", version: "1.0.0" },
    { capabilities: { logging: {} } },
  );
  server.registerTool(
    "add",
    { description: "Adds two numbers", inputSchema: { a: z.number(), b: z.number() } },
    async ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }] }),
  );
  // Whom the edge has let in.
  server.registerTool("whoami", { description: "Says whose request it is" }, async () => ({
    content: [{ type: "text", text: JSON.stringify(whose) }],
  }));
  return server;
}

// By the stream that the client holds open.
setInterval(() => {
  for (const { server } of sessions.values()) {
    const said = { method: "notifications/message", params: { level: "info", data: "tick" } };
    server.server.notification(said).catch(() => {});
  }
}, 20);

const http = createServer(async (request, response) => {
  const known = sessions.get(request.headers["mcp-session-id"]);
  if (known) return known.transport.handleRequest(request, response);
  const { authorization, "x-auth-workspace": workspace, "x-auth-scope": scope } = request.headers;
  const server = serve({ authorization: authorization ?? null, workspace, scope });
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, { server, transport }),
  });
  await server.connect(transport);
  await transport.handleRequest(request, response);
});
http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(http.address().port));
