// Goal: a driver or a storage that breaks the contract stops the node at once, before harm is done.
// Method: every rule of ready.ts, log-storage.ts and RaftCore broken once.
// raft.md appendix B (etcd's panics); style rules 18 to 20 and 22.

import { InvariantViolation } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { MemoryLogStorage, parseRaftOptions, RaftCore } from "../src/index.ts";
import { configurationEntry, entry, log } from "./kit/entries.ts";
import { configurationOf, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import type { TestNode } from "./kit/node.ts";
import { follower, leader } from "./kit/roles.ts";

const THREE = configurationOf({ voters: [1, 2, 3] });

function done(
  lastIndex: number,
  lastConfigurationIndex = 0,
): Parameters<RaftCore["onApplyDone"]>[0] {
  return { lastIndex, lastConfigurationIndex, bytes: 0, term: 1, termCommandBytes: 0 };
}

function breaks(act: () => unknown): void {
  expect(act).toThrow(InvariantViolation);
}

/** Three entries, of which two are committed and none is applied. */
function committed(): TestNode {
  return follower({ log: [1, 1, 1], hardState: { currentTerm: 1, commitIndex: 2 } });
}

describe("applying", () => {
  test("more than is committed", () => {
    breaks(() => committed().core.onApplyDone(done(3)));
  });

  test("a configuration entry without telling the core", () => {
    const change = configurationEntry(1, 1, singleChange("addVoter", 4));
    const node = follower({ entries: [change], hardState: { currentTerm: 1, commitIndex: 1 } });
    const work = node.take()?.apply;
    expect(work?.done.lastConfigurationIndex).toBe(1);
    breaks(() => node.core.onApplyDone(work?.done ?? done(0)));
  });

  test("a configuration entry that is none", () => {
    breaks(() => committed().core.applyConfigurationChange(entry(1, 1)));
  });

  test("a configuration entry that is not committed", () => {
    const change = configurationEntry(1, 3, singleChange("addVoter", 4));
    breaks(() => committed().core.applyConfigurationChange(change));
  });

  test("the same work twice is no harm: its entries count once", () => {
    const node = committed();
    const work = node.take()?.apply;
    if (work === undefined) throw new Error("nothing to apply");
    node.apply(work);
    node.core.onApplyDone(work.done);
    expect(node.core.status().appliedIndex).toBe(2);
  });
});

describe("storage writes `sync`", () => {
  const options = { storageWrites: "sync" } as const;

  test("advance before any Ready", () => {
    breaks(() => follower({ options }).core.advance());
  });

  test("advance twice", () => {
    const node = follower({ options });
    node.core.campaign();
    node.take();
    node.core.advance();
    breaks(() => node.core.advance());
  });

  test("a second Ready before advance", () => {
    const node = follower({ options });
    node.core.campaign();
    node.take();
    breaks(() => node.core.takeReady());
  });

  test("input between Ready and advance is fine, and comes out after it", () => {
    const node = leader({ options });
    node.propose("a");
    const ready = node.take();
    node.propose("b");
    if (ready !== undefined) node.finish(ready);
    expect(node.take()?.append?.entries).toMatchObject([{ index: 3 }]);
  });
});

test("storage writes `async`: there is nothing to advance", () => {
  const node = follower();
  node.core.campaign();
  node.take();
  breaks(() => node.core.advance());
});

function start(storage: MemoryLogStorage, init = {}): RaftCore {
  const options = parseRaftOptions();
  const plain = { id: 1, incarnation: 0, options, storage, appliedIndex: 0, seed: 1 };
  return new RaftCore({ ...plain, ...init });
}

function stored(commitIndex: number): MemoryLogStorage {
  const storage = new MemoryLogStorage();
  storage.setConfiguration(THREE);
  storage.append(log([1, 1]));
  storage.setHardState({ currentTerm: 1, votedFor: undefined, commitIndex });
  return storage;
}

describe("a storage that contradicts itself", () => {
  test("a commit index past the log: the log was lost", () => {
    expect(() => start(stored(2))).not.toThrow();
    breaks(() => start(stored(3)));
  });

  test("an applied index past the log", () => {
    const lastIndex = stored(1).lastIndex();
    expect(() => start(stored(1), { appliedIndex: lastIndex })).not.toThrow();
    breaks(() => start(stored(1), { appliedIndex: lastIndex + 1 }));
  });

  test("a state machine behind the start of the log", () => {
    const storage = stored(2);
    storage.compact(2);
    expect(() => start(storage, { appliedIndex: 1 })).not.toThrow();
    breaks(() => start(storage, { appliedIndex: 0 }));
  });

  test("a configuration that is none", () => {
    const storage = stored(0);
    storage.setConfiguration(configurationOf({ voters: [1, 2], learners: [2] }));
    breaks(() => start(storage));
  });

  test.each([0, -1, 1.5, NaN])("a node id of %d", (id) => {
    breaks(() => start(stored(0), { id }));
  });

  test("a committed entry that was there and is gone", () => {
    const storage = stored(2);
    const core = start(storage);
    storage.append(log([1], 1));
    breaks(() => core.tick());
  });

  test("an entry that it counts but cannot give", () => {
    const storage = stored(2);
    const hollow = Object.assign(storage, { entries: () => [] });
    breaks(() => start(hollow).takeReady());
  });

  test("a term that it does not know of an entry that it counts", () => {
    const storage = stored(0);
    const hollow = Object.assign(storage, { term: () => undefined });
    const core = start(hollow);
    breaks(() => core.step(build.requestVote({ term: 2, lastLogIndex: 1, lastLogTerm: 1 })));
  });
});

describe("arguments that no program should pass are refused as such, not as a broken node", () => {
  test("nothing to propose", () => {
    expect(() => leader().core.propose([])).toThrow(RangeError);
  });

  test("a command that is no bytes, which followers would refuse for ever", () => {
    const { core } = leader();
    const { lastIndex } = core.status();
    for (const command of ["hi", new Uint16Array(2), undefined, new ArrayBuffer(3)])
      expect(() => core.propose([command as unknown as Uint8Array])).toThrow(TypeError);
    expect(core.status().lastIndex).toBe(lastIndex);
  });

  test.each([-1, 0.5, NaN])("%d ticks", (elapsed) => {
    expect(() => follower().core.tick(elapsed)).toThrow(RangeError);
  });

  test("no ticks at all pass no time", () => {
    const node = follower();
    node.core.tick(0);
    expect(node.core.hasReady()).toBe(false);
  });
});
