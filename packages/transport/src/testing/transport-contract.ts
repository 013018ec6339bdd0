/**
 * What every `Transport` owes its groups, as cases that any test runner can run:
 *
 *     for (const { name, run } of transportContract) test(name, () => run(makeHarness()));
 */

import assert from "node:assert/strict";
import { AddressError } from "../address.ts";
import type { GroupLink, Lane, NodeId, Transport } from "../transport.ts";
import { Recorder } from "./recorder.ts";

/** A network, and nodes on it. */
export interface TransportHarness {
  /** Starts a node of incarnation 1, at the address that it had before, if it had one. */
  open(nodeId: NodeId): Promise<{ readonly transport: Transport; readonly address: string }>;
  /** Ends when the condition holds; fails if it does not in reasonable time. */
  until(what: string, condition: () => boolean): Promise<void>;
  /** What receivers have thrown. */
  readonly failures: readonly unknown[];
}

export interface TransportCase {
  readonly name: string;
  readonly run: (harness: TransportHarness) => Promise<void>;
}

const GROUP = 7;
const KIB = 1024;

interface End {
  readonly transport: Transport;
  readonly address: string;
  readonly receiver: Recorder;
  readonly link: GroupLink;
}

async function started(harness: TransportHarness, nodeId: NodeId, groupId = GROUP): Promise<End> {
  const { transport, address } = await harness.open(nodeId);
  const receiver = new Recorder();
  return { transport, address, receiver, link: transport.attach(groupId, receiver) };
}

/** Nodes 1 and 2, each up for the other. */
async function pair(harness: TransportHarness): Promise<readonly [End, End]> {
  const one = await started(harness, 1);
  const two = await started(harness, 2);
  one.link.setPeers(new Map([[2, two.address]]));
  two.link.setPeers(new Map([[1, one.address]]));
  await harness.until("both are up", () => one.link.isUp(2) && two.link.isUp(1));
  return [one, two];
}

/** A frame that says which one it is, in every byte. */
function frame(index: number, bytes: number): Uint8Array {
  return new Uint8Array(bytes).fill(index % 251);
}

function closed(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.close(resolve);
  });
}

/** Fails if anything is said from within the call. */
function quietly<T>(receivers: readonly Recorder[], call: () => T): T {
  const count = (): number => receivers.reduce((sum, { events }) => sum + events.length, 0);
  const before = count();
  const result = call();
  assert.equal(count(), before, "nothing is said from within a call");
  return result;
}

async function deliversInOrder(harness: TransportHarness, lane: Lane): Promise<void> {
  const [one, two] = await pair(harness);
  const sizes = [0, 1, 16, 2_047, 2_049, 65_536, 3, 1 << 20, 70_000, 5];
  for (const [index, bytes] of sizes.entries()) {
    const whole = frame(index, bytes);
    const middle = Math.floor(bytes / 3);
    const parts = [whole.subarray(0, middle), new Uint8Array(0), whole.subarray(middle)];
    assert.ok(one.link.send(2, lane, parts));
  }
  assert.equal(two.receiver.frames.length, 0);
  await harness.until("all arrived", () => two.receiver.frames.length >= sizes.length);
  for (const [index, { from, payload }] of two.receiver.frames.entries()) {
    assert.deepEqual([from.nodeId, from.incarnation], [1, 1]);
    assert.equal(Buffer.compare(payload, frame(index, sizes[index] ?? 0)), 0);
  }
  assert.equal(two.receiver.frames.length, sizes.length);
}

async function boundsWhatWaits(harness: TransportHarness): Promise<void> {
  const [one, two] = await pair(harness);
  const part = frame(1, 64 * KIB);
  let taken = 0;
  while (taken < 10_000 && one.link.send(2, "control", [part])) taken += 1;
  assert.ok(taken >= 32 && taken <= 65, `${taken} frames of 64 KiB were taken, of 4 MiB at most`);
  // The other lane has bounds of its own.
  assert.ok(one.link.send(2, "bulk", [part]));
  await harness.until("all arrived", () => two.receiver.frames.length === taken + 1);
  assert.ok(one.link.send(2, "control", [part]));
}

async function tellsOfADeath(harness: TransportHarness): Promise<void> {
  const [one, two] = await pair(harness);
  const three = await started(harness, 3);
  three.link.setPeers(new Map([[1, one.address]]));
  await closed(two.transport);
  await harness.until("it is gone", () => one.receiver.events.includes("gone 2"));
  assert.deepEqual(one.receiver.events, ["up 2", "down 2", "gone 2"]);
  assert.equal(one.link.isUp(2), false);
  assert.equal(one.link.send(2, "control", [frame(1, 1)]), false);
  const again = await started(harness, 2);
  await harness.until("it is up again", () => one.link.isUp(2));
  assert.deepEqual(one.receiver.events, ["up 2", "down 2", "gone 2", "up 2"]);
  one.link.send(2, "control", [frame(9, 9)]);
  await harness.until("a frame arrives", () => again.receiver.frames.length === 1);
  assert.deepEqual(two.receiver.frames, []);
}

async function keepsGroupsApart(harness: TransportHarness): Promise<void> {
  const [one, two] = await pair(harness);
  const other = new Recorder();
  const otherLink = one.transport.attach(8, other);
  quietly([other, one.receiver], () => {
    otherLink.setPeers(new Map([[2, two.address]]));
  });
  await harness.until("a late group is told", () => other.events.length > 0);
  assert.deepEqual([other.events, otherLink.isUp(2)], [["up 2"], true]);
  assert.deepEqual(one.receiver.events, ["up 2"]);
  otherLink.send(2, "control", [frame(1, 10)]);
  one.link.send(2, "control", [frame(2, 20)]);
  await harness.until("the own frame arrived", () => two.receiver.frames.length > 0);
  assert.deepEqual(
    two.receiver.frames.map(({ payload }) => payload.byteLength),
    [20],
  );
}

async function detaches(harness: TransportHarness): Promise<void> {
  const [one, two] = await pair(harness);
  const other = one.transport.attach(8, new Recorder());
  other.setPeers(new Map([[2, two.address]]));
  await harness.until("the other is up", () => other.isUp(2));
  other.detach();
  other.setPeers(new Map([[2, two.address]]));
  assert.deepEqual([other.isUp(2), other.send(2, "control", [frame(1, 1)])], [false, false]);
  assert.equal(one.link.isUp(2), true);
  assert.throws(() => two.transport.attach(GROUP, new Recorder()), RangeError);
  quietly([two.receiver, one.receiver], () => {
    two.link.detach();
    two.link.detach();
  });
  one.link.send(2, "control", [frame(1, 1)]);
  const again = new Recorder();
  const link = two.transport.attach(GROUP, again);
  link.setPeers(new Map([[1, one.address]]));
  await harness.until("the new one is up", () => link.isUp(1));
  one.link.send(2, "control", [frame(2, 2)]);
  await harness.until("a frame arrived", () => again.frames.some((f) => f.payload.length === 2));
  assert.deepEqual([two.receiver.events, two.receiver.frames], [["up 1"], []]);
}

export const transportContract: readonly TransportCase[] = [
  {
    name: "control frames arrive whole, once, in order, with who sent them",
    run: (harness) => deliversInOrder(harness, "control"),
  },
  {
    name: "bulk frames arrive whole, once, in order, with who sent them",
    run: (harness) => deliversInOrder(harness, "bulk"),
  },
  { name: "what waits on a lane is bounded, for each lane", run: boundsWhatWaits },
  { name: "a node that ends is down, then gone, once; then up again", run: tellsOfADeath },
  { name: "groups share connections, and hear only their own", run: keepsGroupsApart },
  { name: "a group that was detached hears nothing, and may be attached again", run: detaches },
  {
    name: "a node that never was up is down, and never gone",
    run: async (harness) => {
      const one = await started(harness, 1);
      const two = await started(harness, 2);
      const three = await started(harness, 3);
      await closed(two.transport);
      const peers = new Map([1, 2, 3].map((id) => [id, [one, two, three][id - 1]?.address ?? ""]));
      quietly([one.receiver], () => {
        one.link.setPeers(peers);
      });
      assert.equal(one.link.isUp(2), false);
      assert.equal(one.link.send(2, "bulk", [frame(1, 1)]), false);
      assert.equal(one.link.send(4, "bulk", [frame(1, 1)]), false);
      await harness.until("another is up", () => one.link.isUp(3));
      // The node itself is passed over.
      assert.deepEqual([one.receiver.events, one.link.isUp(1)], [["up 3"], false]);
    },
  },
  {
    name: "a group hears nothing of a node that it asks for no more",
    run: async (harness) => {
      const [one, two] = await pair(harness);
      quietly([one.receiver], () => {
        one.link.setPeers(new Map());
      });
      assert.equal(one.link.isUp(2), false);
      assert.equal(one.link.send(2, "control", [frame(1, 1)]), false);
      one.link.setPeers(new Map([[2, two.address]]));
      await harness.until("it is up again", () => one.link.isUp(2));
      assert.deepEqual(one.receiver.events, ["up 2", "up 2"]);
    },
  },
  {
    name: "addresses that cannot be read change nothing",
    run: async (harness) => {
      const [one] = await pair(harness);
      assert.throws(() => {
        one.link.setPeers(new Map([[3, "nowhere"]]));
      }, AddressError);
      assert.equal(one.link.isUp(2), true);
    },
  },
  {
    name: "a group has an id of 32 bits",
    run: async (harness) => {
      const { transport } = await harness.open(1);
      for (const groupId of [-1, 0.5, Number.NaN, 2 ** 32])
        assert.throws(() => transport.attach(groupId, new Recorder()), RangeError);
      transport.attach(0, new Recorder());
      transport.attach(2 ** 32 - 1, new Recorder());
    },
  },
  {
    name: "a frame that is too long is refused as the mistake that it is",
    run: async (harness) => {
      const [one] = await pair(harness);
      const tooLong = new Uint8Array((16 << 20) + 1);
      assert.throws(() => one.link.send(2, "bulk", [tooLong]), RangeError);
      assert.equal(one.link.isUp(2), true);
    },
  },
  {
    name: "a payload belongs to its receiver",
    run: async (harness) => {
      const [one, two] = await pair(harness);
      const sent = frame(1, 3_000);
      one.link.send(2, "control", [sent]);
      await harness.until("it arrived", () => two.receiver.frames.length === 1);
      two.receiver.frames[0]?.payload.fill(99);
      assert.equal(Buffer.compare(sent, frame(1, 3_000)), 0);
    },
  },
  {
    name: "what a receiver throws is reported, and others are served",
    run: async (harness) => {
      const [one, two] = await pair(harness);
      two.receiver.onEvent = () => {
        throw new Error("a receiver's bug");
      };
      one.link.send(2, "control", [frame(1, 1)]);
      one.link.send(2, "control", [frame(2, 2)]);
      await harness.until("both arrived", () => two.receiver.frames.length === 2);
      assert.deepEqual(
        harness.failures.map((error) => (error as Error).message),
        ["a receiver's bug", "a receiver's bug"],
      );
    },
  },
  {
    name: "a transport may be closed twice, and tells nothing after it",
    run: async (harness) => {
      const [one, two] = await pair(harness);
      await Promise.all([closed(one.transport), closed(one.transport)]);
      await closed(one.transport);
      assert.equal(one.link.send(2, "control", [frame(1, 1)]), false);
      one.link.detach();
      await harness.until("the other knows", () => two.receiver.events.includes("gone 1"));
      assert.deepEqual(one.receiver.events, ["up 2"]);
      assert.throws(() => one.transport.attach(9, new Recorder()));
    },
  },
];
