// Goal: connections follow what the groups of a node ask for, and cut off nothing that was sent.

import { expect, test } from "vitest";
import { openTcpTransport, parseTransportOptions, TransportError } from "../src/index.ts";
import { laneEndOf } from "../src/lane-end.ts";
import { nodeScheduler, type Scheduler } from "../src/scheduler.ts";
import { Recorder } from "../src/testing/index.ts";
import { closed, openNode, TOKEN, until } from "./kit/node.ts";

test("a node that moved is reached where it is now", async () => {
  const one = await openNode(1);
  const two = await openNode(2);
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2));
  const moved = await openNode(2);
  one.link.setPeers(new Map([[2, moved.address]]));
  expect(one.link.isUp(2)).toBe(false);
  await until("it is up again", () => one.link.isUp(2));
  one.link.send(2, "bulk", [Buffer.from("x")]);
  await until("a frame arrives there", () => moved.receiver.frames.length === 1);

  expect(one.receiver.events).toEqual(["up 2", "down 2", "up 2"]);
  expect(two.receiver.frames).toEqual([]);
  await until("the old connections are closed", () => two.transport.status().inboundCount === 0);
});

test("a node that is back is dialed as soon as it has connected", async () => {
  const one = await openNode(1, { redialMsMin: 60_000, redialMsMax: 60_000 });
  const two = await openNode(2);
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2));
  await closed(two.transport);
  await until("it is away, and a redial failed", () => !one.link.isUp(2));
  await until("it was dialed again", () => one.transport.status().peers[0]?.dialCount === 2);
  const back = await openNode(2, { listen: two.address });

  back.link.setPeers(new Map([[1, one.address]]));

  await until("it is up again", () => one.link.isUp(2));
});

test("a connection lasts as long as any group asks for it, and no longer", async () => {
  const one = await openNode(1);
  const two = await openNode(2);
  const other = one.transport.attach(2, new Recorder());
  one.link.setPeers(new Map([[2, two.address]]));
  other.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2) && other.isUp(2));
  other.detach();
  expect(other.isUp(2)).toBe(false);
  one.link.send(2, "control", [Buffer.from("still there")]);
  await until("a frame arrives", () => two.receiver.frames.length === 1);
  expect(one.transport.status().peers).toMatchObject([{ state: "up", dialCount: 1 }]);
  one.link.setPeers(new Map());

  expect(one.transport.status().peers).toEqual([]);
  await until("it is closed", () => two.transport.status().inboundCount === 0);
});

test("what was sent to a node that is let go still arrives", async () => {
  const one = await openNode(1);
  const two = await openNode(2);
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2));
  for (let i = 0; i < 10; i++) one.link.send(2, "bulk", [Buffer.alloc(1 << 20, i)]);
  one.link.setPeers(new Map());

  await until("all arrived", () => two.receiver.frames.length === 10);
});

test("nothing is sent for a group that has let go", async () => {
  const one = await openNode(1);
  const two = await openNode(2);
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2));
  one.link.detach();

  expect([one.link.isUp(2), one.link.send(2, "control", [])]).toEqual([false, false]);
});

test("a port that is taken is an error that says so", async () => {
  const one = await openNode(1);
  const common = { clusterId: "test", nodeId: 2, incarnation: 1, token: TOKEN };
  const options = parseTransportOptions({ ...common, listen: one.address });
  const attempt = openTcpTransport({ options, log: () => undefined });

  await expect(attempt).rejects.toThrow(TransportError);
  await expect(attempt).rejects.toThrow(
    expect.objectContaining({ code: "LISTEN_FAILED", cause: expect.any(Error) }),
  );
  await expect(attempt).rejects.toThrow(one.address);
});

test("no timer is left behind, whatever was under way", async () => {
  const running = new Set<() => void>();
  const scheduler: Scheduler = {
    now: () => performance.now(),
    after: (delayMs, run) => {
      const cancel = nodeScheduler.after(delayMs, () => {
        running.delete(cancelled);
        run();
      });
      const cancelled = (): void => {
        running.delete(cancelled);
        cancel();
      };
      running.add(cancelled);
      return cancelled;
    },
  };
  const one = await openNode(1, {}, { scheduler });
  const [two, three] = [await openNode(2), await openNode(3)];
  await closed(three.transport);
  // One is up, one is being let go, one is waited for, and one is being dialed.
  const first = new Map([2, 4].map((nodeId) => [nodeId, two.address]));
  one.link.setPeers(first);
  await until("it is up", () => one.link.isUp(2));
  one.link.setPeers(new Map([...first, [3, three.address]]));
  await until("one is away", () => one.transport.status().peers.some((p) => p.dialCount > 1));
  one.link.setPeers(new Map([...first, [3, three.address], [5, two.address]]));
  expect(running.size).toBeGreaterThan(2);
  await closed(one.transport);

  expect(running.size).toBe(0);
});

test("a port is free again when its transport has closed", async () => {
  const one = await openNode(1);
  const two = await openNode(2);
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2));
  await closed(two.transport);

  await openNode(2, { listen: two.address });
});

test.each([
  ["absent", ["ECONNREFUSED"]],
  ["absent", ["ECONNREFUSED", "EADDRNOTAVAIL"]],
  ["unreachable", ["ECONNREFUSED", "ETIMEDOUT"]],
  ["unreachable", ["EADDRNOTAVAIL"]],
  ["closed", ["ECONNRESET"]],
])("%s: a name with several addresses, of which each fails with %j", (kind, codes) => {
  const errors = codes.map((code) => Object.assign(new Error(code), { code }));
  const error = Object.assign(new AggregateError(errors), { code: codes[0] });

  expect(laneEndOf(error, "connecting").kind).toBe(kind);
});

test.each([
  ["ECONNRESET", "closed"],
  ["EPIPE", "closed"],
  ["ETIMEDOUT", "unreachable"],
  ["EHOSTUNREACH", "unreachable"],
  // Of a connection that had been made, it says nothing about who listens.
  ["ECONNREFUSED", "unreachable"],
])("%s on a connection is %s", (code, kind) => {
  expect(laneEndOf(Object.assign(new Error(code), { code }), "connected").kind).toBe(kind);
});
