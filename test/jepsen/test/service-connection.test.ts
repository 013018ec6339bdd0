// Goal: what became of a call is never said wrongly: what was not sent was not done, and what was
// sent and not answered may have been. Method: servers on loopback that refuse, hang up, are
// silent.

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ServiceConnection } from "../src/client/service-connection.ts";
import { CallError } from "../src/service/call-error.ts";
import { type CallServer, serveCalls } from "../src/service/call-server.ts";

const PATIENT_MS = 20_000;
const SHORT_MS = 200;

function connectionTo(port: number): ServiceConnection {
  const connection = new ServiceConnection(`127.0.0.1:${port}`);
  onTestFinished(() => {
    connection.close();
  });
  return connection;
}

/** @returns its port. */
async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("what is answered is answered, also why it is refused", async () => {
  const server = await serveCalls(
    {
      status: () => ({}),
      add: (input) => ({ sum: input.count("a") + input.count("b") }),
      refuse: () => {
        throw new CallError({
          code: "NOT_LEADER",
          outcome: "not-applied",
          leaderId: 3,
          message: "ask node 3",
        });
      },
      break: () => {
        throw new TypeError("a defect");
      },
    },
    { port: 0 },
  );
  onTestFinished(() => server.close());
  const connection = connectionTo(server.port);
  expect(await connection.call("add", { a: 1, b: 2 }, PATIENT_MS)).toEqual({ sum: 3 });
  await expect(connection.call("refuse", {}, PATIENT_MS)).rejects.toMatchObject({
    code: "NOT_LEADER",
    outcome: "not-applied",
    leaderId: 3,
  });
  await expect(connection.call("break", {}, PATIENT_MS)).rejects.toMatchObject({
    code: "TypeError",
    outcome: "unknown",
  });
  expect(await connection.call("add", { a: 2, b: 2 }, PATIENT_MS)).toEqual({ sum: 4 });
});

test("where nobody answers the first question, nothing else was asked", async () => {
  const notReached = { code: "NOT_REACHED", outcome: "not-applied" };
  const silent = connectionTo(await listen(() => undefined));
  await expect(silent.call("append", {}, SHORT_MS)).rejects.toMatchObject(notReached);
  const hangsUp = connectionTo(await listen((socket) => socket.destroy()));
  await expect(hangsUp.call("append", {}, PATIENT_MS)).rejects.toMatchObject(notReached);
});

test("what was sent and is not answered may have been done", async () => {
  let appends = 0;
  let second: CallServer | undefined;
  const calls = {
    status: () => ({}),
    append: () => {
      appends += 1;
      void second?.close();
      return new Promise<object>(() => undefined);
    },
  };
  const server = await serveCalls(calls, { port: 0 });
  onTestFinished(() => server.close());
  const silent = connectionTo(server.port);
  await expect(silent.call("append", {}, SHORT_MS)).rejects.toMatchObject({
    code: "NO_ANSWER",
    outcome: "unknown",
  });

  second = await serveCalls(calls, { port: 0 });
  await expect(connectionTo(second.port).call("append", {}, PATIENT_MS)).rejects.toMatchObject({
    code: "CONNECTION_LOST",
    outcome: "unknown",
  });
  expect(appends).toBe(2);
});
