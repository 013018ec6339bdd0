// Goal: whoever opens a node from plain JavaScript, with a typo or with half of the options, is
// told all that is wrong, by name, before anything is written or listened to.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { freePort } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import {
  type LogOptions,
  type Machine,
  type ReplicaEvent,
  ReplicaOptionsError,
  ReplicatedLog,
  ReplicatedStateMachine,
} from "../src/index.ts";

const SOUND = {
  directory: "/node-1",
  clusterId: "orders",
  nodeId: 1,
  peers: { 1: "127.0.0.1:1" },
  token: "a secret of the cluster",
  ifMissing: "found",
};
const MACHINE: Machine = { apply: () => [], snapshot: () => [], restore: () => undefined };

function given(options: object): never {
  return { ...SOUND, ...options } as never;
}

async function problemsOf(run: () => Promise<unknown>): Promise<readonly string[]> {
  const error = await run().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ReplicaOptionsError);
  return (error as ReplicaOptionsError).problems;
}

test.each<[Record<string, unknown>, RegExp]>([
  [{ directory: undefined }, /^directory: missing/u],
  [{ directory: "" }, /^directory: not the path/u],
  [{ clusterId: undefined }, /^clusterId: not a text of 1 to 256 bytes/u],
  [{ clusterId: "c".repeat(257) }, /^clusterId: not a text/u],
  [{ nodeId: "1" }, /^nodeId: "1" is not an integer above 0/u],
  [{ groupId: -1 }, /^groupId: -1 is not an integer in/u],
  [{ ifMissing: "create" }, /^ifMissing: "create" is none of/u],
  [{ ifmissing: "found" }, /^ifmissing: unknown option/u],
  [{ toString: 1 }, /^toString: unknown option/u],
  [{ peers: undefined }, /^peers: missing/u],
  [{ peers: { 1: "a:1", 2: "b" } }, /^peers: "b", of node 2, is not host:port/u],
  [{ peers: { 2: "a:1" } }, /^peers: this node, 1, is missing/u],
  [{ peers: { 1: "a:1", 2: "a:1" } }, /^peers: nodes 1 and 2 have one address, "a:1"/u],
  [{ token: undefined }, /^token: required without tls/u],
  [{ token: "short" }, /^token: not a text, or bytes, of 16/u],
  [{ listen: "here" }, /^listen: "here": no port/u],
  [{ tls: {} }, /^tls\.key: not PEM/u],
  [{ preferredLeaders: 1 }, /^preferredLeaders: not a list/u],
  [{ preferredLeaders: [0] }, /^preferredLeaders: 0 is no node's id/u],
  [{ preferredLeaders: [1, 1] }, /^preferredLeaders: names a node twice/u],
  [{ leaseReads: "yes" }, /^leaseReads: not true or false/u],
  [{ flush: "fast" }, /^flush: neither "sync" nor "async"$/u],
  [{ tuning: 5 }, /^tuning: not an object/u],
  [{ retention: 5 }, /^retention: not an object/u],
  [{ retention: { bytes: 1 } }, /^retention.bytes: less than segmentBytes/u],
  [{ onEvent: 5 }, /^onEvent: not a function/u],
  [{ signal: 5 }, /^signal: not an object/u],
  [{ checkpoint: {} }, /^checkpoint: has no open, load, cut, close/u],
])("%o does not open, and says why", async (wrong, problem) => {
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const options = { ...SOUND, fileSystem, ...wrong } as unknown as LogOptions;

  const problems = await problemsOf(() => ReplicatedLog.open(options));

  expect(problems[0]).toMatch(problem);
  // A second try with sound options finds nothing of the first one.
  expect(fileSystem.list(SOUND.directory)).toBeUndefined();
});

test("what is wrong is told all at once", async () => {
  const wrong = {
    nodeId: 0,
    peers: { 1: "a" },
    token: "x",
    tuning: { heartbeatMs: 1 },
    color: "red",
  };

  const problems = await problemsOf(() =>
    ReplicatedLog.open({ ...SOUND, ...wrong } as unknown as LogOptions),
  );

  expect(new Set(problems.map((problem) => problem.split(":")[0]))).toEqual(
    new Set(["color", "heartbeatMs", "nodeId", "peers", "token"]),
  );
});

test("no options, and no state machine, are told like everything else", async () => {
  const options = SOUND as unknown as LogOptions;
  const open = ReplicatedStateMachine.open.bind(ReplicatedStateMachine);
  const half = { apply: () => [] } as unknown as Machine;

  const none = await problemsOf(() => ReplicatedLog.open(undefined as unknown as LogOptions));
  const noMachine = await problemsOf(() => open(options, undefined as unknown as Machine));
  const halfOne = await problemsOf(() => open(options, half));
  const covering = await problemsOf(() => open(options, { ...MACHINE, covers: true } as never));
  const unruly = await problemsOf(() => open(options, { ...MACHINE, rulesVersion: -1 }));

  expect([none, noMachine, halfOne, covering, unruly]).toEqual([
    ["options: not an object"],
    ["machine: not an object"],
    ["machine: has no snapshot, restore"],
    ["machine: covers is not a function"],
    ["machine: rulesVersion is not an integer of 0 or more"],
  ]);
});

test("what may be forgotten of a state machine's log has more to it than of a log", async () => {
  const machine = (options: object): Promise<readonly string[]> =>
    problemsOf(() => ReplicatedStateMachine.open(given(options), MACHINE));

  const word = await machine({ retention: "all", nodeId: 0 });
  const words = await machine({ retention: "keep", nodeId: 0 });
  const limits = await machine({ retention: { bytes: 1, days: 3 } });
  const ofLog = await problemsOf(() => ReplicatedLog.open(given({ retention: "keep" })));

  // The other option that is wrong is told at once.
  expect(word).toContain('retention: "all" is neither "compact" nor "keep" nor limits');
  expect(word.filter((problem) => problem.startsWith("nodeId"))).toHaveLength(1);
  expect(words.filter((problem) => problem.startsWith("retention"))).toEqual([]);
  expect(limits).toContain("retention.days: unknown option");
  expect(limits).toContain("retention.bytes: less than segmentBytes");
  expect(ofLog).toEqual(["retention: not an object"]);
});

test("a wrong token is told on both sides, and where nobody listens", async () => {
  const events: Record<1 | 2, ReplicaEvent[]> = { 1: [], 2: [] };
  const gaveUp = new AbortController();
  const ports = [await freePort(), await freePort(), await freePort()];
  const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
  const open = (nodeId: 1 | 2, token: string): Promise<unknown> =>
    ReplicatedLog.open({
      ...SOUND,
      ifMissing: "found",
      nodeId,
      peers,
      token,
      signal: gaveUp.signal,
      fileSystem: new MemoryFileSystem({ prng: new Prng(nodeId) }),
      onEvent: (event) => events[nodeId].push(event),
    });
  const opened = Promise.allSettled([
    open(1, "a secret of the cluster"),
    open(2, "a secret of another cluster"),
  ]);

  const reason = expect.stringContaining("token") as string;
  await expect
    .poll(() => events[1])
    .toContainEqual({
      type: "peerNotReached",
      nodeId: 2,
      address: peers[2],
      code: "PEER_TOKEN",
      reason,
    });
  await expect
    .poll(() => events[2])
    .toContainEqual(expect.objectContaining({ type: "dialerRefused", code: "PEER_TOKEN", reason }));
  await expect
    .poll(() => events[1])
    .toContainEqual(expect.objectContaining({ nodeId: 3, code: "ECONNREFUSED" }));

  gaveUp.abort();
  expect(await opened).toMatchObject([
    { reason: { code: "ABORTED" } },
    { reason: { code: "ABORTED" } },
  ]);
});
