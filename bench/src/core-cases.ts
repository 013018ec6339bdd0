/** What is measured of the core: each case is a batch of operations on a prepared fixture. */

import type { AppendEntriesReply, Entry } from "@quorumlog/raft";
import {
  appendEntries,
  appendReply,
  CoreFixture,
  firstFreeIndex,
  heartbeat,
  heartbeatReply,
} from "./core-fixture.ts";

export interface CoreCase {
  readonly name: string;
  /** Operations in one run. */
  readonly operations: number;
  /** What an operation is. */
  readonly unit: string;
  /** Prepares one run, unmeasured, and returns it. */
  readonly prepare: () => () => void;
}

const STEPS = 1_000;
const BATCH = 100;
const COMMAND = new Uint8Array(64);
const COMMANDS: readonly Uint8Array[] = Array.from({ length: BATCH }, () => COMMAND);

export function coreCases(): CoreCase[] {
  return [bareDispatch(), ...[3, 7].flatMap(leaderCases), ...followerCases()];
}

/** The bare counterpart: allocate a message, look its sender up, keep a number, queue it. */
function bareDispatch(): CoreCase {
  return {
    name: "bare: allocate a reply, keep the highest index by sender, queue it",
    operations: STEPS,
    unit: "step",
    prepare: () => {
      const highest = new Map<number, number>();
      const outbox: unknown[] = [];
      return () => {
        for (let i = 1; i <= STEPS; i++) {
          const message = appendReply(2, i);
          highest.set(message.from, Math.max(highest.get(message.from) ?? 0, message.index));
          outbox.push(message);
        }
      };
    },
  };
}

/**
 * Plain work on a message that takes about as long as a step, whatever a compiler makes of loops
 * that allocate: each is written as JSON.
 */
export function writtenMessages(): CoreCase {
  return {
    name: "bare: allocate a reply, write it as JSON",
    operations: STEPS,
    unit: "step",
    prepare: () => {
      const written: string[] = [];
      return () => {
        for (let i = 1; i <= STEPS; i++) written.push(JSON.stringify(appendReply(2, i)));
      };
    },
  };
}

/** As {@link bareDispatch}, for a batch: allocate entries, keep them, queue them for two others. */
export function bareEntries(): CoreCase {
  return {
    name: `bare: allocate ${BATCH} entries, keep them, queue them twice`,
    operations: 1,
    unit: "batch",
    prepare: () => {
      const log: Entry[] = [];
      const outbox: unknown[] = [];
      return () => {
        const message = appendEntries(log.length, BATCH, COMMAND);
        log.push(...message.entries);
        outbox.push(message, { ...message, to: 3, entries: log.slice(-BATCH) });
      };
    },
  };
}

function leaderCases(groupSize: number): CoreCase[] {
  const leader = CoreFixture.leader(groupSize);
  return [
    {
      name: `leader of ${groupSize}: propose ${BATCH} entries, take the Ready`,
      operations: 1,
      unit: "batch",
      prepare: () => {
        acknowledgeAll(leader, groupSize);
        return () => {
          leader.core.propose(COMMANDS);
          leader.finish(leader.core.takeReady());
        };
      },
    },
    {
      name: `leader of ${groupSize}: an append reply that commits, take the Ready`,
      operations: STEPS,
      unit: "step",
      prepare: () => {
        acknowledgeAll(leader, groupSize);
        const first = leader.core.status().lastIndex + 1;
        for (let i = 0; i < STEPS; i++) leader.core.propose([COMMAND]);
        leader.drain();
        const answers = lastNeededAnswers(leader, groupSize, first);
        return () => {
          for (const answer of answers) {
            leader.core.step(answer);
            leader.finish(leader.core.takeReady());
          }
        };
      },
    },
    {
      name: `leader of ${groupSize}: a heartbeat reply`,
      operations: STEPS,
      unit: "step",
      prepare: () => {
        acknowledgeAll(leader, groupSize);
        const message = heartbeatReply(2, 0);
        return () => {
          for (let i = 0; i < STEPS; i++) leader.core.step(message);
        };
      },
    },
  ];
}

/** All followers but the last that is needed have everything; that one answers entry by entry. */
function lastNeededAnswers(
  leader: CoreFixture,
  groupSize: number,
  first: number,
): AppendEntriesReply[] {
  const needed = Math.floor(groupSize / 2);
  const lastIndex = first + STEPS - 1;
  for (let from = 2; from <= needed; from++) leader.core.step(appendReply(from, lastIndex));
  leader.drain();
  return Array.from({ length: STEPS }, (_, i) => appendReply(needed + 1, first + i));
}

function acknowledgeAll(leader: CoreFixture, groupSize: number): void {
  leader.drain();
  const { lastIndex } = leader.core.status();
  for (let from = 2; from <= groupSize; from++) leader.core.step(appendReply(from, lastIndex));
  leader.drain();
  leader.compact();
}

function followerCases(): CoreCase[] {
  const follower = new CoreFixture(3, 2);
  follower.core.step(heartbeat(0, 1));
  follower.drain();
  let last = firstFreeIndex();
  return [
    {
      name: `follower: append ${BATCH} entries, take the Ready`,
      operations: 1,
      unit: "batch",
      prepare: () => {
        follower.compact();
        const message = appendEntries(last, BATCH, COMMAND);
        last += BATCH;
        return () => {
          follower.core.step(message);
          follower.finish(follower.core.takeReady());
        };
      },
    },
    {
      name: "follower: append 1 entry",
      operations: STEPS,
      unit: "step",
      prepare: () => {
        follower.drain();
        follower.compact();
        const messages = Array.from({ length: STEPS }, (_, i) =>
          appendEntries(last + i, 1, COMMAND),
        );
        last += STEPS;
        return () => {
          for (const message of messages) follower.core.step(message);
        };
      },
    },
    {
      name: "follower: a heartbeat",
      operations: STEPS,
      unit: "step",
      prepare: () => {
        follower.drain();
        const message = heartbeat(0, 1);
        return () => {
          for (let i = 0; i < STEPS; i++) follower.core.step(message);
        };
      },
    },
  ];
}
