// A server as anybody writes one, which knows nothing of tokens: events, WebSockets, a download and an
// upload that both take their time, and an echo. It prints its port, and a line for each upload.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const piece = Buffer.alloc(64 * 1024, "x");

function every(ms, response, say) {
  const timer = setInterval(say, ms);
  response.on("close", () => clearInterval(timer));
}

const http = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://upstream");
  switch (pathname) {
    case "/events":
      response.writeHead(200, { "content-type": "text/event-stream" });
      return every(10, response, () => response.write("data: tick\n\n"));
    case "/slow": {
      // With its whole length announced, as files are.
      response.writeHead(200, { "content-length": 1_000_000_000 });
      return every(5, response, () => response.write("tick".repeat(250)));
    }
    case "/download": {
      let left = Number(searchParams.get("mib")) * 16;
      response.writeHead(200, { "content-length": left * piece.length });
      const more = () => {
        while (left-- > 0) if (!response.write(piece)) return response.once("drain", more);
        response.end();
      };
      return more();
    }
    case "/upload": {
      let length = 0;
      request.on("data", (data) => (length += data.length));
      request.on("error", () => {});
      request.on("close", () => console.log(`upload ${request.complete ? "whole" : "cut"}`));
      return request.on("end", () => response.end(String(length)));
    }
    default:
      return response.end(JSON.stringify({ url: request.url, headers: request.rawHeaders }));
  }
});

const sockets = new WebSocketServer({ server: http, path: "/ws" });
sockets.on("connection", (socket) => {
  const timer = setInterval(() => socket.send("tick"), 10);
  socket.on("message", (message) => socket.send(`said ${message}`));
  socket.on("close", () => clearInterval(timer));
});
http.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => console.log(http.address().port));
