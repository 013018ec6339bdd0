// Goal: every call is answered once, with an outcome that is true.
import { SlabPool } from "@quorumlog/std";
import { EntryMemory } from "../src/entry-memory.ts";
import { parseRaftOptions, MemoryLogStorage, RaftCore } from "@quorumlog/raft";
import { describe, expect, test } from "vitest";
import type { AppendCall, Durability } from "../src/append-call.ts";
import { COMMAND_KIND, type CommandDraft, commandBytes } from "../src/container.ts";
import type { CommandResult } from "../src/group-state.ts";
import { ProposalDesk } from "../src/proposal-desk.ts";
import { ReplicaError } from "../src/replica-error.ts";

const LIMITS = { containerBytesMax: 4_096, pendingBytesMax: 16_384 };
const DONE: CommandResult = { status: "done" };

function core(): RaftCore {
  const members = [1, 2, 3].map((id) => ({ id, incarnation: 0 }));
  const configuration = {
    voters: members,
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const snapshot = {
    lastIncludedIndex: 1,
    lastIncludedTerm: 1,
    configuration,
    data: new Uint8Array(0),
  };
  const storage = new MemoryLogStorage({ snapshot });
  const options = parseRaftOptions({ preVote: false, checkQuorum: false });
  return new RaftCore({ id: 1, incarnation: 0, options, storage, appliedIndex: 1, seed: 1 });
}

/** Makes it the leader of the next term. */
function elect(raft: RaftCore): void {
  raft.campaign();
  for (let ready = raft.takeReady(); ready !== undefined; ready = raft.takeReady())
    for (const message of ready.append?.responses ?? []) if (message.to === 1) raft.step(message);
  raft.step({
    type: "RequestVoteReply",
    from: 2,
    to: 1,
    fromIncarnation: 0,
    toIncarnation: 0,
    term: raft.status().currentTerm,
    voteGranted: true,
  });
  expect(raft.status().role).toBe("leader");
}

function draftOf(bytes: number): CommandDraft {
  const records = [Buffer.alloc(bytes)];
  const size = commandBytes(records);
  const kind = COMMAND_KIND.records;
  return { kind, sessionId: 0, sequence: 0, offset: -1, records, bytes: size };
}

class Bench {
  readonly raft: RaftCore = core();
  readonly desk: ProposalDesk = new ProposalDesk(
    this.raft,
    LIMITS,
    new EntryMemory(new SlabPool(), true),
  );
  readonly answers: Record<string, string> = {};

  submit(
    name: string,
    more: { bytes?: number; durability?: Durability; timeoutMs?: number } = {},
  ): AppendCall {
    const { bytes = 10, durability = "quorum", timeoutMs = 1_000 } = more;
    const call: AppendCall = {
      draft: draftOf(bytes),
      durability,
      deadline: timeoutMs,
      settle: (error, at) => {
        expect(this.answers[name]).toBeUndefined();
        this.answers[name] =
          error === undefined ? `index ${at?.index}` : `${error.code} ${error.outcome}`;
      },
    };
    this.desk.submit(call, timeoutMs);
    return call;
  }
}

describe("a call", () => {
  test("is refused by a node that does not lead", () => {
    const bench = new Bench();

    expect(() => bench.submit("a")).toThrow(ReplicaError);
    expect(bench.desk.pendingBytes).toBe(0);
  });

  test("shares an entry with the others of its turn, and is answered when that is applied", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("a");
    bench.submit("b");
    bench.desk.flush(1);
    const { lastIndex, currentTerm } = bench.raft.status();

    bench.desk.onApplied(lastIndex, currentTerm, [DONE, DONE]);

    expect(bench.answers).toEqual({ a: "index 3", b: "index 3" });
    expect(bench.desk.pendingBytes).toBe(0);
  });

  test("was not applied, if another entry is committed in its place", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("a");
    bench.desk.flush(1);

    bench.desk.onApplied(3, 99, [DONE]);

    expect(bench.answers).toEqual({ a: "LEADERSHIP_LOST not-applied" });
  });

  test("was not applied, if an entry of a later term is committed before it", () => {
    const bench = new Bench();
    elect(bench.raft);
    const { currentTerm: term } = bench.raft.status();
    for (const name of ["a", "b", "c"]) {
      bench.submit(name, { bytes: 4_096 });
      bench.desk.flush(1);
    }

    bench.desk.onApplied(3, term, [DONE]);
    bench.desk.onApplied(4, term + 1, undefined);

    const lost = "LEADERSHIP_LOST not-applied";
    expect(bench.answers).toEqual({ a: "index 3", b: lost, c: lost });
    expect(bench.desk.pendingBytes).toBe(0);
  });

  test("may have been applied, if a snapshot took its place", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("a");
    bench.desk.flush(1);

    bench.desk.onSkipped(3);

    expect(bench.answers).toEqual({ a: "LEADERSHIP_LOST unknown" });
  });

  test("of an earlier term is not known to be lost when this node proposes in its place", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("older");
    bench.desk.flush(1);
    bench.submit("old");
    bench.desk.flush(1);
    // A leader of a later term replaces everything; then this node leads again.
    const term = bench.raft.status().currentTerm + 1;
    bench.raft.step({
      type: "AppendEntries",
      from: 2,
      to: 1,
      fromIncarnation: 0,
      toIncarnation: 0,
      term,
      prevLogIndex: 1,
      prevLogTerm: 1,
      entries: [{ term, index: 2, kind: "normal", data: new Uint8Array(0) }],
      leaderCommit: 1,
    });
    elect(bench.raft);
    bench.submit("new");
    bench.desk.flush(2);

    expect(bench.answers["old"]).toBe("LEADERSHIP_LOST unknown");
  });

  test("that is overdue was not applied if it waited, and may have been if it was proposed", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("proposed", { timeoutMs: 10 });
    bench.desk.flush(1);
    bench.submit("waiting", { timeoutMs: 10 });
    bench.submit("patient", { timeoutMs: 1_000 });

    bench.desk.expire(10);

    expect(bench.answers).toEqual({ proposed: "TIMEOUT unknown", waiting: "TIMEOUT not-applied" });
  });

  test("that was withdrawn is not proposed", () => {
    const bench = new Bench();
    elect(bench.raft);
    const before = bench.raft.status().lastIndex;
    bench.desk.abort(bench.submit("a"));

    bench.desk.flush(1);

    expect(bench.answers).toEqual({ a: "ABORTED not-applied" });
    expect(bench.raft.status().lastIndex).toBe(before);
    expect(bench.desk.pendingBytes).toBe(0);
  });

  test("is refused when too much waits, and taken again later", () => {
    const bench = new Bench();
    elect(bench.raft);
    for (let i = 0; i < 4; i++) bench.submit(`big ${i}`, { bytes: 4_000 });
    expect(() => bench.submit("more", { bytes: 4_000 })).toThrow(/too many bytes/u);
    bench.desk.flush(1);
    const term = bench.raft.status().currentTerm;
    for (let index = 3; index <= 5; index++) bench.desk.onApplied(index, term, [DONE]);

    bench.desk.flush(2);
    bench.desk.onApplied(6, term, [DONE]);

    expect(bench.desk.pendingBytes).toBe(0);
    expect(() => bench.submit("more", { bytes: 4_000 })).not.toThrow();
  });

  test("of less durability is answered earlier", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("async", { durability: "async" });
    bench.submit("leader", { durability: "leader" });
    bench.submit("quorum");
    const seen: string[] = [];

    bench.desk.flush(1);
    seen.push(Object.keys(bench.answers).join());
    bench.desk.onStable(3, bench.raft.status().currentTerm + 1);
    seen.push(Object.keys(bench.answers).join());
    bench.desk.onStable(3, bench.raft.status().currentTerm);
    seen.push(Object.keys(bench.answers).join());

    expect(seen).toEqual(["async", "async", "async,leader"]);
  });

  test("that waits is refused as soon as this node leads no more", () => {
    const bench = new Bench();
    elect(bench.raft);
    for (const name of ["first", "second"]) {
      bench.submit(name);
      bench.desk.flush(1);
    }
    bench.submit("waiting");
    const term = bench.raft.status().currentTerm + 1;
    const header = { from: 2, to: 1, fromIncarnation: 0, toIncarnation: 0, term };
    bench.raft.step({ type: "Heartbeat", ...header, leaderCommit: 1, round: 1 });

    bench.desk.flush(1);

    expect(bench.answers).toEqual({ waiting: "NOT_LEADER not-applied" });
  });

  test("is answered when the replica stops: what was proposed may have been applied", () => {
    const bench = new Bench();
    elect(bench.raft);
    bench.submit("proposed");
    bench.desk.flush(1);
    bench.submit("waiting");

    bench.desk.stop((outcome) => new ReplicaError("CLOSED", "closed", { outcome }));

    expect(bench.answers).toEqual({ proposed: "CLOSED unknown", waiting: "CLOSED not-applied" });
  });
});

describe("what a caller does wrong", () => {
  test("fails its own call, and no other one of the container", () => {
    const bench = new Bench();
    elect(bench.raft);
    const shrunk = bench.submit("shrunk");
    bench.submit("innocent");
    const [record] = shrunk.draft.records as [Buffer];
    structuredClone(record.buffer, { transfer: [record.buffer as ArrayBuffer] });

    bench.desk.flush(1);
    bench.desk.onApplied(3, bench.raft.status().currentTerm, [DONE]);

    expect(bench.answers).toEqual({
      shrunk: "INVALID_ARGUMENT not-applied",
      innocent: "index 3",
    });
  });
});

describe("time", () => {
  test("is kept in a few lists, however many timeouts there are", () => {
    const bench = new Bench();
    elect(bench.raft);
    for (let i = 1; i <= 200; i++) bench.submit(`${i}`, { bytes: 1, timeoutMs: 1_000 + i });
    bench.desk.flush(1);
    const { currentTerm } = bench.raft.status();

    bench.desk.expire(1_100);
    const early = Object.keys(bench.answers).length;
    bench.desk.expire(1_201);

    expect(early).toBeGreaterThan(30);
    expect(early).toBeLessThanOrEqual(100);
    expect(Object.keys(bench.answers)).toHaveLength(200);
    expect(currentTerm).toBe(bench.raft.status().currentTerm);
  });
});

describe("containers", () => {
  test("are closed when full; a part of one waits while two are under way", () => {
    const bench = new Bench();
    elect(bench.raft);
    const before = bench.raft.status().lastIndex;
    for (let i = 0; i < 7; i++) bench.submit(`${i}`, { bytes: 1_900 });

    bench.desk.flush(1);

    // Two calls in each of three full ones; the seventh waits.
    expect(bench.raft.status().lastIndex - before).toBe(3);
  });

  test("a call that is larger than a container is one by itself", () => {
    const bench = new Bench();
    elect(bench.raft);
    const before = bench.raft.status().lastIndex;
    bench.submit("small");
    bench.submit("large", { bytes: 8_000 });
    bench.submit("small again");

    bench.desk.flush(1);

    expect(bench.raft.status().lastIndex - before).toBe(2);
  });
});
