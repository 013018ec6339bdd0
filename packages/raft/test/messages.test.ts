// Goal: nothing a peer sends can stop a node, and what it drops leaves no trace in it.
// Method: fast-check, first with messages broken in one place or made of anything at all, then with
// well-formed messages that lie, in long runs against nodes in every role and storage mode.
// Paper §5.1 (servers ignore what they cannot use); style rule 16: assertions are for bugs of this
// node, a broken peer is counted and dropped.

import { describe, expect, test } from "vitest";
import {
  type AppendWork,
  type DropReason,
  type Entry,
  type Message,
  messageProblem,
} from "../src/index.ts";
import { entry } from "./kit/entries.ts";
import { hostileSteps } from "./kit/hostile-peer.ts";
import { HostileRun } from "./kit/hostile-run.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { NodeInit, TestNode } from "./kit/node.ts";
import { fc } from "./kit/properties.ts";
import { candidate, follower, freshLeader, leader } from "./kit/roles.ts";

/** Runs against a lying peer, per role and mode; more with `HOSTILE_RUNS` and `PROPERTY_SEED`. */
const RUNS = Number(process.env["HOSTILE_RUNS"] ?? 400);

const SNAPSHOT = build.snapshotAt(3, 1, configurationOf({ voters: [1, 2, 3] }));

/** One sound message of each type, rich enough to have every field. */
const SOUND: readonly Message[] = [
  build.appendEntries({ entries: [entry(1, 1, "x")], term: 3 }),
  build.appendReply({ rejected: true, index: 4, term: 3 }),
  build.heartbeat({ term: 3 }),
  build.heartbeatReply({ term: 3 }),
  build.requestPreVote({ term: 3 }),
  build.preVoteReply({ term: 3 }),
  build.requestVote({ term: 3 }),
  build.voteReply({ term: 3 }),
  build.installSnapshot({ snapshot: SNAPSHOT, term: 3 }),
  build.timeoutNow({ term: 3 }),
  build.readRequest({ term: 3 }),
  build.readReply({ term: 3 }),
  build.transferRequest({ term: 3 }),
];

/** Every place in a message, as a path. */
function places(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array)
    return [[...path]];
  const inner = Object.entries(value).flatMap(([key, field]) => places(field, [...path, key]));
  return path.length === 0 ? inner : [[...path], ...inner];
}

function broken(value: unknown, path: readonly (string | number)[], junk: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return junk;
  const source = value as Record<string | number, unknown>;
  const changed = broken(source[key], rest, junk);
  if (Array.isArray(value))
    return value.map((item, i) => (String(i) === String(key) ? changed : item));
  return { ...source, [key]: changed };
}

const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, null, NaN, -1, 1.5, 2 ** 53, -Infinity, "1", true, {}, []),
  fc.constantFrom<unknown>([null], [undefined], { id: 1 }, 7n, "AppendEntries"),
  fc.integer(),
);

const brokenMessage: fc.Arbitrary<unknown> = fc
  .constantFrom(...SOUND)
  .chain((message) => fc.tuple(fc.constant(message), fc.constantFrom(...places(message)), junk))
  .map(([message, path, value]) => broken(message, path, value));

function fingerprint(node: TestNode): unknown {
  return { status: node.core.status(), log: node.entries(), progress: node.core.progress() };
}

function settled(node: TestNode): TestNode {
  node.settle();
  return node;
}

const ROLES: Readonly<Record<string, (init: NodeInit) => TestNode>> = {
  follower: (init) => follower({ log: [1, 1], hardState: { currentTerm: 2 }, ...init }),
  "follower in the middle of its log": (init) =>
    settled(
      follower({ log: [1, 1, 2, 2], hardState: { currentTerm: 2, commitIndex: 2 }, ...init }),
    ),
  candidate: (init) => candidate({ log: [1, 2], hardState: { currentTerm: 2 }, ...init }),
  "new leader": (init) => freshLeader({ log: [1, 1], hardState: { currentTerm: 1 }, ...init }),
  leader: (init) => leader({ log: [1, 1], hardState: { currentTerm: 1 }, ...init }),
};

describe.each(Object.entries(ROLES))("malformed messages to a %s", (_, make) => {
  test("one broken field: dropped without a trace, or a sound message after all", () => {
    const node = make({});
    const before = fingerprint(node);
    fc.assert(
      fc.property(brokenMessage, (value) => {
        const message = value as Message;
        if (messageProblem(message) === undefined) return;
        expect(node.core.step(message)).toBe("malformed");
        expect(fingerprint(node)).toEqual(before);
        expect(node.core.hasReady()).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test("anything at all: dropped without a trace", () => {
    const node = make({});
    const before = fingerprint(node);
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(node.core.step(value as Message)).toBe("malformed");
        expect(fingerprint(node)).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });
});

describe.each(Object.entries(ROLES))("a lying peer of a %s", (_, make) => {
  const modes = [
    { storageWrites: "async", preVote: false, checkQuorum: false },
    { storageWrites: "sync", preVote: true, checkQuorum: true },
    { storageWrites: "async", preVote: true, checkQuorum: true, leaseReads: true },
    { storageWrites: "async", stepDownOnRemoval: false, validateConfigurationChanges: false },
  ] as const;
  const small = { appendBytesMax: 64, inflightCountMax: 2, inflightBytesMax: 64 };
  const tight = { uncommittedBytesMax: 60, applyingBytesMax: 70, parkedCountMax: 2 };

  test.each(modes)("trips no assertion: $storageWrites, pre-vote $preVote", (mode) => {
    let heard = 0;
    fc.assert(
      fc.property(hostileSteps, fc.integer({ min: 1, max: 1000 }), (steps, seed) => {
        const options = { ...small, ...tight, electionTicks: 4, ...mode };
        const run = new HostileRun(make({ options, seed }));
        for (const step of steps) run.take(step);
        heard += run.heard;
      }),
      { numRuns: RUNS },
    );
    expect(heard).toBeGreaterThan(RUNS);
  });
});

describe("what is dropped is counted, and told to the observer", () => {
  const term = 2;
  const drops: readonly (readonly [DropReason, Message])[] = [
    ["malformed", build.heartbeat({ term, round: -1 })],
    ["misaddressed", build.heartbeat({ term, to: 2 })],
    ["stale-incarnation", build.heartbeat({ term, toIncarnation: 3 })],
    ["not-a-member", build.appendReply({ term, from: 9 })],
    ["stale-term", build.heartbeat({ term: 1 })],
    ["contradiction", build.heartbeat({ term })],
    ["unexpected", build.voteReply({ term })],
    ["overloaded", build.readRequest({ term })],
  ];

  test.each(drops)("%s", (reason, message) => {
    const init = { hardState: { currentTerm: 1 }, options: { pendingReadCountMax: 1 } };
    const node = leader(init);
    node.core.readIndex(1);

    expect(node.core.step(message)).toBe(reason);

    const { [reason]: counted, ...others } = node.core.dropped();
    expect(counted).toBe(1);
    expect(Object.values(others).every((count) => count === 0)).toBe(true);
    expect(node.events.at(-1)).toEqual({ type: "messageDropped", message, reason });
  });
});

describe("lies that took thought", () => {
  test("a leader that takes back what it sent in its own term", () => {
    const node = follower();
    const say = (entries: readonly Entry[], leaderCommit = 0): void =>
      void node.core.step(build.appendEntries({ term: 5, entries, leaderCommit }));
    const works: AppendWork[] = [];
    const take = (): void => {
      const work = node.take()?.append;
      if (work !== undefined) works.push(work);
    };
    // Written thrice in one term: the answer to the first write looks like that to the third.
    say([entry(3, 1), entry(3, 2)]);
    take();
    say([entry(2, 1)]);
    take();
    say([entry(3, 1), entry(3, 2)], 2);
    take();

    for (const work of works) node.write(work);

    expect(node.core.status().commitIndex).toBeLessThanOrEqual(node.storage.lastIndex());
  });

  test("a term or an index near the end of exact integers", () => {
    const node = follower();
    for (const end of [2 ** 53 - 1, 2 ** 53 - 2]) {
      expect(node.core.step(build.requestVote({ term: end }))).toBe("malformed");
      const snapshot = build.snapshotAt(end, 1, configurationOf({ voters: [1, 2, 3] }));
      expect(node.core.step(build.installSnapshot({ snapshot }))).toBe("malformed");
    }
    expect(node.term).toBe(0);
  });

  test("a vote, an answer or a report in the node's own name", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    const own = { from: 1, term: node.term };
    for (const message of [
      build.appendReply({ ...own, rejected: true, index: 3 }),
      build.heartbeat(own),
      build.heartbeatReply(own),
      build.requestVote({ ...own, term: 9 }),
      build.timeoutNow(own),
      build.readReply(own),
    ])
      expect(node.core.step(message)).toBe("misaddressed");
  });
});

test("a leap in terms is not adopted: it would leave no room for those to come", () => {
  const node = follower({ hardState: { currentTerm: 5 } });
  expect(node.core.step(build.heartbeat({ from: 2, term: 2 ** 52 }))).toBe("contradiction");
  expect(node.core.status().currentTerm).toBe(5);
  expect(node.core.step(build.heartbeat({ from: 2, term: 6 }))).toBeUndefined();
});
