// Goal: a peer that nobody hears from is down within the time that was set, whatever TCP believes;
// one that is only busy is not; and it is up again soon after the network is.
// Method: real sockets through a proxy that stalls, resets, or slows what passes.

import { describe, expect, onTestFinished, test } from "vitest";
import { type LinkDirection, type LinkProxy, openLinkProxy } from "../src/testing/index.ts";
import { openNode, type TestNode, until } from "./kit/node.ts";

const QUICK = { pingMs: 40, silenceMs: 200, connectMs: 150, handshakeMs: 150, redialMsMax: 100 };

async function behindProxy(
  given: Record<string, unknown> = QUICK,
  random?: () => number,
): Promise<{ one: TestNode; two: TestNode; proxy: LinkProxy }> {
  const one = await openNode(1, given, random === undefined ? {} : { random });
  const two = await openNode(2, given);
  const proxy = await openLinkProxy(two.transport.address);
  onTestFinished(() => proxy.close());
  one.link.setPeers(new Map([[2, proxy.address]]));
  await until("it is up", () => one.link.isUp(2));
  return { one, two, proxy };
}

describe("a silent stall", () => {
  test.each([[["forward", "backward"]], [["forward"]], [["backward"]]] as const)(
    "of %j is noticed, is no death, and heals",
    async (directions: readonly LinkDirection[]) => {
      const { one, two, proxy } = await behindProxy();
      const startMs = performance.now();
      proxy.stall(directions);
      await until("it is down", () => !one.link.isUp(2));
      const tookMs = performance.now() - startMs;
      expect(one.lines.at(-1)).toMatchObject({ message: "peer down", code: "SILENCE" });
      const { dialCount = 0 } = one.transport.status().peers[0] ?? {};
      await until("it was dialed in vain", () => {
        const [peer] = one.transport.status().peers;
        return (peer?.dialCount ?? 0) > dialCount + 1;
      });
      expect(one.receiver.events).toEqual(["up 2", "down 2"]);
      await proxy.heal();
      await until("it is up again", () => one.link.isUp(2));
      one.link.send(2, "control", [Buffer.from("after")]);
      await until("a frame arrives", () => two.receiver.frames.length > 0);

      expect(one.receiver.events).toEqual(["up 2", "down 2", "up 2"]);
      // It takes a ping to notice the first silence, and a machine that is busy is late.
      expect(tookMs).toBeGreaterThan(QUICK.silenceMs - 2 * QUICK.pingMs);
      expect(tookMs).toBeLessThan(QUICK.silenceMs * 5);
    },
  );
});

test("a reset is noticed at once, and nobody listening then is a death", async () => {
  const { one, proxy } = await behindProxy({ ...QUICK, pingMs: 10_000, silenceMs: 60_000 });
  await proxy.cut();
  await until("it is gone", () => one.receiver.events.length === 3);

  expect(one.receiver.events).toEqual(["up 2", "down 2", "gone 2"]);
  await proxy.heal();
  await until("it is up again", () => one.link.isUp(2));
  await proxy.cut();
  await until("it is gone again", () => one.receiver.events.length === 6);
  expect(one.receiver.events.slice(3)).toEqual(["up 2", "down 2", "gone 2"]);
});

test("a silence that ends in a refusal is no death", async () => {
  const { one, proxy } = await behindProxy();
  proxy.stall();
  await until("it is down", () => one.receiver.events.length === 2);
  await proxy.cut();
  const { dialCount = 0 } = one.transport.status().peers[0] ?? {};
  await until("it was refused", () => {
    const [peer] = one.transport.status().peers;
    return peer?.failure?.code === "ECONNREFUSED" && peer.dialCount > dialCount + 2;
  });

  expect(one.receiver.events).toEqual(["up 2", "down 2"]);
});

test("a reset that ends in silence, and then in a refusal, is no death", async () => {
  const { one, proxy } = await behindProxy();
  proxy.stall();
  proxy.reset();
  await until("it is down", () => one.receiver.events.length === 2);
  await until("it was dialed in vain", () => {
    const [peer] = one.transport.status().peers;
    return peer?.failure?.code === "HANDSHAKE_TIMEOUT";
  });
  await proxy.cut();
  await until("it was refused", () => {
    const [peer] = one.transport.status().peers;
    return peer?.failure?.code === "ECONNREFUSED";
  });
  await proxy.heal();
  await until("it is up again", () => one.link.isUp(2));

  expect(one.receiver.events).toEqual(["up 2", "down 2", "up 2"]);
});

test("heartbeats pass while the bulk lane is full, and a lane that is slow lives", async () => {
  // As slow as it is, each sign of life behind the bulk would come many silences late.
  const { one, two, proxy } = await behindProxy({ ...QUICK, bulkBytesMax: 8 << 20 });
  proxy.slow(2 << 20, 1);
  const part = Buffer.alloc(256 * 1024, 1);
  let taken = 0;
  while (one.link.send(2, "bulk", [part])) taken += 1;
  expect(taken).toBe(31);
  expect(one.transport.status().peers[0]?.queuedBytes.bulk).toBeGreaterThan(4 << 20);
  expect(one.link.send(2, "bulk", [part])).toBe(false);
  expect(one.transport.status().counters.dropped.full).toBe(2);
  const startMs = performance.now();
  one.link.send(2, "control", [Buffer.from("heartbeat")]);
  await until("the heartbeat passed", () =>
    two.receiver.frames.some(({ payload }) => payload.length === 9),
  );

  // It was not behind the bulk.
  expect(two.receiver.frames.length).toBeLessThan(taken);
  await until("the bulk arrived", () => two.receiver.frames.length === taken + 1);
  expect(performance.now() - startMs).toBeGreaterThan(3 * QUICK.silenceMs);
  expect(one.receiver.events).toEqual(["up 2"]);
});

test("frames of one turn leave together, parts and all", async () => {
  const { one, two, proxy } = await behindProxy({ ...QUICK, pingMs: 10_000, silenceMs: 60_000 });
  const before = proxy.bytes.forward;
  for (let i = 0; i < 100; i++)
    one.link.send(2, "control", [Buffer.from([i]), Buffer.alloc(3_000)]);
  expect(one.transport.status().peers[0]?.queuedBytes.control).toBe(100 * 3_017);
  await until("all arrived", () => two.receiver.frames.length === 100);

  expect(proxy.bytes.forward - before).toBe(100 * 3_017);
  expect(two.receiver.frames.map(({ payload }) => payload[0])).toEqual([...Array(100).keys()]);
});

test("when a peer is dialed again is a matter of chance, as given", async () => {
  const draws: number[] = [];
  const { one, proxy } = await behindProxy(QUICK, () => {
    draws.push(0);
    return 0;
  });
  await proxy.cut();
  await until("it was dialed often", () => (one.transport.status().peers[0]?.dialCount ?? 0) > 6);
  const { dialCount = 0 } = one.transport.status().peers[0] ?? {};

  // The first dial, and the one at once after it was closed, are no matter of chance.
  expect(dialCount - 2).toBeGreaterThanOrEqual(draws.length - 1);
  expect(dialCount - 2).toBeLessThanOrEqual(draws.length);
});

test("a peer that closes as soon as it is up is not dialed in a circle", async () => {
  const { one, two, proxy } = await behindProxy({ ...QUICK, redialMsMin: 90, redialMsMax: 1_000 });
  const startMs = performance.now();
  for (let round = 0; round < 3; round++) {
    const before = one.receiver.events.length;
    proxy.reset();
    // oxlint-disable-next-line no-await-in-loop -- One after the other is the point.
    await until("it is up again", () => one.receiver.events.length > before && one.link.isUp(2));
  }
  // The first time it is dialed at once, the others not before the shortest delay.
  expect(performance.now() - startMs).toBeGreaterThan(2 * 90);
  expect(two.transport.status().inboundCount).toBe(2);
  expect(one.receiver.events.filter((event) => event === "up 2")).toHaveLength(4);
});
