import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { NAME_SERVER_SERVICE, RpcServer } from "../src/index.ts";

test("a client whose process has ended is gone at once, though it said nothing", async () => {
  let opened = 0;
  let cancelled = 0;
  const server = new RpcServer({
    listen: "127.0.0.1:0",
    onDefect: (error) => {
      throw error;
    },
  });
  server.handle(NAME_SERVER_SERVICE, {
    register: {
      duplex: (call) => {
        opened += 1;
        call.on("cancelled", () => {
          cancelled += 1;
        });
      },
    },
    watchCluster: { serverStream: () => undefined },
    getCluster: { unary: () => ({}) },
  });
  await server.open();
  onTestFinished(() => server.close(0));
  const { port } = server;
  const socket: Socket = connect(port, "127.0.0.1");
  const session = connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => socket });
  session.on("error", () => undefined);
  await once(session, "remoteSettings");
  const stream = session.request({
    ":method": "POST",
    ":path": NAME_SERVER_SERVICE.register.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  await expect.poll(() => opened).toBe(1);

  // As the system ends the connections of a process: a FIN, and nothing before it.
  socket.end();

  // The patience of the keepalive is 20 seconds.
  await expect.poll(() => cancelled, { timeout: 5_000 }).toBe(1);
});
