// Goal: a clock that sleeps is late for nobody: every tick counts while anything is under way, and
// what comes in is told of the time before it.
// Method: the clock by itself, and a replica among peers that say what a test says; virtual time.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import type { Message } from "@quorumlog/raft";
import { Prng, SlabPool } from "@quorumlog/std";
import type { GroupLink } from "@quorumlog/transport";
import { MemoryNetwork, VirtualTime } from "@quorumlog/transport/testing";
import { describe, expect, test } from "vitest";
import { COMMAND_KIND, commandBytes } from "../src/container.ts";
import { CoreClock } from "../src/core-clock.ts";
import type { Environment } from "../src/environment.ts";
import { foundingDigest } from "../src/founding.ts";
import { openGroup, openNode } from "../src/open-group.ts";
import { decodeEnvelope, encodeEnvelope } from "../src/peer-envelope.ts";
import type { Replica } from "../src/replica.ts";
import { parseTuning, TICK_MS } from "../src/replica-options.ts";

const HEARTBEAT_MS = 500;
const ELECTION_MS = 3_000;
const DIGEST_BYTES = 8;
const TERM = 7;

class World {
  readonly time: VirtualTime = new VirtualTime();
  readonly prng: Prng = new Prng(1);
  readonly network: MemoryNetwork = new MemoryNetwork({
    scheduler: this.time,
    prng: this.prng,
    latencyMs: { min: 1, max: 1 },
  });
  readonly environment: Environment = {
    now: () => this.time.now(),
    wallTime: () => this.time.now(),
    after: (delayMs, run) => this.time.after(delayMs, run),
    soon: (run) => {
      this.time.after(0, run);
    },
    bootId: () => undefined,
    random: () => this.prng.uint32(),
    memory: new SlabPool(),
  };
  /** How long each operation of the disk takes. */
  diskMs = 0;

  /** Node 2, in a group of these founders. */
  replica(founders: readonly number[]): Replica {
    const schedule = (run: () => void): void => {
      this.time.after(this.diskMs, run);
    };
    const place = {
      directory: "/node",
      clusterId: "c",
      nodeId: 2,
      groupId: 0,
      ifMissing: "found" as const,
      fileSystem: new MemoryFileSystem({ prng: this.prng, schedule }),
      environment: this.environment,
    };
    const tuning = { segmentBytes: 65_536, heartbeatMs: HEARTBEAT_MS, electionMs: ELECTION_MS };
    const { replica } = openGroup({
      ...place,
      identity: openNode(place),
      addresses: addressesOf(founders),
      tuning: parseTuning(tuning),
      preferredLeaders: [],
      leaseReads: false,
      transport: this.network.transport({ nodeId: 2, incarnation: 0 }),
      machine: undefined,
      onEvent: () => undefined,
      onTurn: () => undefined,
    });
    return replica;
  }

  peer(nodeId: number, founders: readonly number[]): Peer {
    return new Peer(this, nodeId, founders);
  }
}

/** Hears all that node 2 says to it, and says what it is told to. */
class Peer {
  readonly heard: { readonly message: Message; readonly at: number }[] = [];
  readonly #nodeId: number;
  readonly #digest: Buffer;
  readonly #link: GroupLink;

  constructor(world: World, nodeId: number, founders: readonly number[]) {
    this.#nodeId = nodeId;
    const lives = founders.map((id) => ({ id, incarnation: 1 }));
    this.#digest = Buffer.from(foundingDigest(lives), "hex");
    this.#link = world.network.transport({ nodeId, incarnation: 0 }).attach(0, {
      onFrame: (_from, payload) => {
        const envelope = decodeEnvelope(payload.subarray(DIGEST_BYTES));
        if (envelope?.kind === "raft")
          this.heard.push({ message: envelope.message, at: world.time.now() });
      },
      onPeerUp: () => undefined,
      onPeerDown: () => undefined,
      onPeerGone: () => undefined,
    });
    this.#link.setPeers(addressesOf(founders));
  }

  heartbeat(): void {
    this.#say({ type: "Heartbeat", ...this.#header(TERM), leaderCommit: 1, round: 1 });
  }

  askForPreVote(): void {
    const last = { lastLogIndex: 9, lastLogTerm: TERM };
    this.#say({ type: "RequestPreVote", ...this.#header(TERM + 1), ...last });
  }

  #header(
    term: number,
  ): Pick<Message, "from" | "to" | "fromIncarnation" | "toIncarnation" | "term"> {
    return { from: this.#nodeId, to: 2, fromIncarnation: 1, toIncarnation: 1, term };
  }

  #say(message: Message): void {
    this.#link.send(2, "control", [this.#digest, ...encodeEnvelope({ kind: "raft", message })]);
  }
}

function addressesOf(ids: readonly number[]): ReadonlyMap<number, string> {
  return new Map(ids.map((id) => [id, `node-${id}:1`]));
}

function started(): {
  readonly time: VirtualTime;
  readonly clock: CoreClock;
  readonly looks: number[];
  readonly state: { isBusy: boolean; ticks: number };
} {
  const { time, environment } = new World();
  const looks: number[] = [];
  const state = { isBusy: false, ticks: 0 };
  const clock: CoreClock = new CoreClock({
    environment,
    tickMs: 10,
    heartbeatTicks: 50,
    isBusy: () => state.isBusy,
    onTime: (ticks) => {
      state.ticks += ticks;
    },
    onTick: () => {
      clock.catchUp();
      looks.push(time.now());
    },
  });
  clock.start();
  return { time, clock, looks, state };
}

describe("the clock", () => {
  test("looks once for each heartbeat when there is nothing to do, and misses no tick", () => {
    const { time, looks, state } = started();
    time.pass(1_600);
    expect(looks).toEqual([500, 1_000, 1_500]);
    expect(state.ticks).toBe(150);
  });

  test("looks at each tick from when something is put in until it is done", () => {
    const { time, clock, looks, state } = started();
    time.pass(123);
    state.isBusy = true;
    clock.wake();
    time.pass(25);
    expect(looks).toEqual([133, 143]);
    state.isBusy = false;
    time.pass(1_000);
    expect(looks.slice(2)).toEqual([153, 653]);
  });

  test("sleeps on when it is woken for nothing", () => {
    const { time, clock, looks } = started();
    time.pass(123);
    clock.wake();
    time.pass(400);
    expect(looks).toEqual([500]);
  });

  test("looks at each tick for a while after a peer was lost", () => {
    const { time, clock, looks } = started();
    time.pass(100);
    clock.worry();
    time.pass(4_990);
    expect(looks).toHaveLength(499);
    time.pass(2_000);
    expect(looks.length).toBeLessThan(510);
  });

  test("that was stopped is not woken again", () => {
    const { time, clock, looks, state } = started();
    time.pass(100);
    clock.stop();
    state.isBusy = true;
    clock.wake();
    clock.worry();
    time.pass(1_000);
    expect(looks).toEqual([]);
  });

  test("tells of whole ticks, each once, whenever it is asked", () => {
    const { time, clock, state } = started();
    for (const ms of [3, 3, 3, 3, 11, 27, 1, 449]) {
      time.pass(ms);
      clock.catchUp();
      clock.catchUp();
      expect(state.ticks).toBe(Math.floor(time.now() / 10));
    }
  });
});

test("elections begin between heartbeats, too, for as long as there is no leader", () => {
  const world = new World();
  const founders = [1, 2, 3];
  world.peer(1, founders);
  const other = world.peer(3, founders);
  world.replica(founders);

  world.time.pass(60_000);

  const asked = other.heard.filter(({ message }) => message.type === "RequestPreVote");
  const intervals = asked.slice(1).map(({ at }, i) => at - (asked[i]?.at ?? 0));
  expect(intervals.length).toBeGreaterThan(5);
  expect(intervals.filter((ms) => ms % HEARTBEAT_MS !== 0).length).toBeGreaterThan(3);
});

test("a call that waits is given up within a tick of its time", () => {
  const world = new World();
  const replica = world.replica([2]);
  world.time.pass(10_000);
  expect(replica.status().role).toBe("leader");
  world.diskMs = 1e9;
  const records = [Buffer.from("x")];
  const bytes = commandBytes(records);
  const draft = {
    kind: COMMAND_KIND.records,
    sessionId: 0,
    sequence: 0,
    offset: -1,
    records,
    bytes,
  };
  for (const phaseMs of [10, 130, 270, 390]) {
    let settledAt: number | undefined;
    world.time.pass(phaseMs);
    const deadline = world.time.now() + 100;
    const settle = (): void => {
      settledAt = world.time.now();
    };

    replica.proposals.submit({ draft, durability: "quorum", deadline, settle }, 100);
    replica.wantTurn();
    world.time.pass(1_000);

    expect(settledAt).toBeGreaterThanOrEqual(deadline);
    expect(settledAt).toBeLessThanOrEqual(deadline + TICK_MS);
  }
});

test("what a follower slept through does not count against the leader that it hears next", () => {
  const world = new World();
  const founders = [1, 2, 3];
  const leader = world.peer(1, founders);
  const rival = world.peer(3, founders);
  const replica = world.replica(founders);
  world.time.pass(50);
  for (let round = 0; round < 12; round++) {
    leader.heartbeat();
    // Less than the time in which nobody may depose a leader that was heard.
    world.time.pass(ELECTION_MS - 2 * TICK_MS);
    rival.askForPreVote();
    world.time.pass(10 + ((round * 170) % HEARTBEAT_MS));
    expect(replica.status().leaderId).toBe(1);
  }

  const answers = rival.heard.filter(({ message }) => message.type === "RequestPreVoteReply");
  const granted = answers.filter(({ message }) => "voteGranted" in message && message.voteGranted);
  expect(granted).toEqual([]);
});
