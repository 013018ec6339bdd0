/** A core under measurement, with a storage in memory and a driver that does the least it may. */

import {
  type AppendEntries,
  type AppendEntriesReply,
  type Configuration,
  type Entry,
  type Heartbeat,
  type HeartbeatReply,
  MemoryLogStorage,
  parseRaftOptions,
  RaftCore,
  type Ready,
} from "@quorumlog/raft";
import { assert } from "@quorumlog/std";

const BASE_INDEX = 10;
const NO_BYTES = new Uint8Array(0);

export class CoreFixture {
  readonly core: RaftCore;
  readonly storage: MemoryLogStorage;

  constructor(groupSize: number, id: number) {
    const configuration = configurationOf(groupSize);
    this.storage = new MemoryLogStorage({
      snapshot: {
        lastIncludedIndex: BASE_INDEX,
        lastIncludedTerm: 1,
        configuration,
        data: NO_BYTES,
      },
    });
    const options = parseRaftOptions({ inflightCountMax: 2 ** 20, preVote: false });
    const appliedIndex = BASE_INDEX;
    this.core = new RaftCore({
      id,
      incarnation: 0,
      options,
      storage: this.storage,
      appliedIndex,
      seed: id,
    });
  }

  /** A leader whose no-op is committed. */
  static leader(groupSize: number): CoreFixture {
    const fixture = new CoreFixture(groupSize, 1);
    const { core } = fixture;
    core.campaign();
    fixture.finish(core.takeReady());
    for (let from = 2; from <= groupSize; from++)
      core.step({ ...header(from, 1), type: "RequestVoteReply", voteGranted: true });
    fixture.drain();
    const { lastIndex } = core.status();
    for (let from = 2; from <= groupSize; from++) core.step(appendReply(from, lastIndex));
    fixture.drain();
    assert(core.status().commitIndex === lastIndex, "the leader has committed its no-op");
    return fixture;
  }

  /** Writes and applies what a Ready asks for, in memory. Messages to peers go nowhere. */
  finish(ready: Ready | undefined): void {
    const append = ready?.append;
    if (append !== undefined) {
      if (append.hardState !== undefined) this.storage.setHardState(append.hardState);
      this.storage.append(append.entries);
      for (const message of append.responses)
        if (message.to === message.from) this.core.step(message);
      if (append.done !== undefined) this.core.onAppendDone(append.done);
    }
    if (ready?.apply !== undefined) this.core.onApplyDone(ready.apply.done);
  }

  drain(): void {
    for (let ready = this.core.takeReady(); ready !== undefined; ready = this.core.takeReady())
      this.finish(ready);
  }

  /** Forgets what is applied, so that a long measurement does not grow the log. */
  compact(): void {
    const { appliedIndex } = this.core.status();
    if (appliedIndex > this.storage.firstIndex()) this.storage.compact(appliedIndex);
  }
}

export function appendReply(from: number, index: number): AppendEntriesReply {
  // In full, not spread: that would cost more than the step that is measured.
  return {
    type: "AppendEntriesReply",
    from,
    to: 1,
    fromIncarnation: 0,
    toIncarnation: 0,
    term: 1,
    rejected: false,
    index,
    hintIndex: 0,
    hintTerm: 0,
  };
}

export function heartbeatReply(from: number, round: number): HeartbeatReply {
  return { ...header(from, 1), type: "HeartbeatReply", round };
}

export function heartbeat(leaderCommit: number, round: number): Heartbeat {
  return { ...header(1, 2), type: "Heartbeat", leaderCommit, round };
}

/** Entries `[prev + 1, prev + count]` for a follower. */
export function appendEntries(prev: number, count: number, data: Uint8Array): AppendEntries {
  const entries: Entry[] = [];
  for (let index = prev + 1; index <= prev + count; index++)
    entries.push({ term: 1, index, kind: "normal", data });
  return {
    ...header(1, 2),
    type: "AppendEntries",
    prevLogIndex: prev,
    prevLogTerm: 1,
    entries,
    leaderCommit: prev,
  };
}

export function firstFreeIndex(): number {
  return BASE_INDEX;
}

function header(
  from: number,
  to: number,
): {
  from: number;
  to: number;
  fromIncarnation: number;
  toIncarnation: number;
  term: number;
} {
  return { from, to, fromIncarnation: 0, toIncarnation: 0, term: 1 };
}

function configurationOf(groupSize: number): Configuration {
  const voters = Array.from({ length: groupSize }, (_, i) => ({ id: i + 1, incarnation: 0 }));
  return { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}
