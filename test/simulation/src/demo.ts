/**
 * `npm run demo`: three nodes in one process elect a leader, commit writes, lose the leader, go on,
 * and take it back. Simulated, with every check on, and shown at a pace that a person can follow.
 */

import { type NodeId, parseRaftOptions, type RaftEvent } from "@quorumlog/raft";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithReader } from "./closed-pipe.ts";
import { type Micros, MILLISECOND, SECOND } from "./engine/event-queue.ts";
import { drawSwarm, type SwarmOptions } from "./fault/swarm.ts";
import type { SimNode } from "./node/sim-node.ts";
import { World } from "./run/world.ts";

/** Real milliseconds per virtual second: a little faster than life. */
const PACE = 700;
const FRAME: Micros = 20 * MILLISECOND;
const COMMIT_INTERVAL: Micros = 300 * MILLISECOND;

function demoSwarm(): SwarmOptions {
  return {
    ...drawSwarm(1),
    seed: 3,
    voterCount: 3,
    spareCount: 0,
    tickMicros: 10 * MILLISECOND,
    raft: parseRaftOptions({ heartbeatTicks: 5, electionTicks: 30 }),
    electionRanks: [0],
    network: {
      delayMin: 500,
      delayMean: 500,
      loss: 0,
      duplication: 0,
      isOrdered: true,
      capacity: 1_000,
      blocksInFlight: true,
    },
    disk: { syncMin: 500, syncMean: 1_000, isGrouped: true, flushDelay: undefined },
    driver: {
      turnDelayMax: 0,
      takesOneReady: false,
      sendsFirst: true,
      applyMean: 0,
      reportsUnreachable: true,
      reportsPeerGone: false,
      sharesReads: true,
    },
    storage: {
      isVisibleAtIssue: true,
      snapshotEvery: 1_000,
      keptEntries: 100,
      checkpointEvery: 0,
    },
    load: {
      clientCount: 3,
      keyCount: 3,
      thinkMean: 120 * MILLISECOND,
      timeout: 500 * MILLISECOND,
      readShare: 0.3,
      retryShare: 1,
      strayShare: 0.1,
      loss: 0,
      paddingMax: 0,
    },
    faults: new Map(),
    clockDrift: 0,
  };
}

class Demo {
  readonly #world: World;
  /** Of the commits only some are shown: the first of a leader, then a few each second. */
  #shownCommit = 0;
  #shownAt: Micros = 0;

  constructor() {
    this.#world = new World({
      swarm: demoSwarm(),
      trace: undefined,
      onEvent: (node, event) => {
        this.#show(node, event);
      },
    });
  }

  async run(): Promise<void> {
    const { clients, cluster, counts, ledger } = this.#world;
    this.#say("three nodes start, with nothing but each other's addresses");
    this.#world.begin();
    for (const client of clients) client.start();
    await this.#watch(2 * SECOND);

    const leader = await this.#leader();
    this.#say(`--- node ${leader} loses power: what it had not synced is gone`);
    cluster.crashHost(cluster.host(leader), "power", Number.POSITIVE_INFINITY);
    await this.#watch(2 * SECOND);

    const successor = await this.#leader();
    this.#say(`--- node ${leader} is switched on again; node ${successor} leads now`);
    cluster.start(cluster.host(leader));
    await this.#watch(SECOND);

    for (const client of clients) client.stop();
    await this.#watch(SECOND);
    const digests = cluster.hosts.map(({ node }) => digest(node));
    const isSame = digests.every((each) => each === digests[0]);
    this.#say(
      `${counts.acknowledged} operations acknowledged, ${ledger.committedIndex} entries ` +
        `committed, none lost; states of the nodes: ${digests.join(" ")}`,
    );
    if (!isSame) throw new Error("the nodes disagree");
    this.#say("all three are the same, and every invariant of Raft held at every step");
  }

  /** Lets virtual time pass, slowly. */
  async #watch(time: Micros): Promise<void> {
    const { queue } = this.#world;
    const end = queue.now + time;
    while (queue.now < end) {
      queue.runUntil(queue.now + FRAME);
      await sleep((FRAME / SECOND) * PACE);
    }
  }

  async #leader(): Promise<NodeId> {
    for (;;) {
      const leader = this.#world.cluster.leader();
      if (leader !== undefined) return leader.id;
      await this.#watch(FRAME);
    }
  }

  #show(node: SimNode, event: RaftEvent): void {
    switch (event.type) {
      case "electionStarted":
        this.#say(`node ${node.id} hears no leader and asks whether it could win`);
        break;
      case "becameCandidate":
        this.#say(`node ${node.id} stands for election in term ${event.term}`);
        break;
      case "becameLeader":
        this.#shownAt = 0;
        this.#say(`node ${node.id} is elected leader of term ${event.term}`);
        break;
      case "commitAdvanced":
        this.#showCommit(node, event.commitIndex);
        break;
      case "becameFollower":
        if (event.leaderId !== undefined)
          this.#say(`node ${node.id} follows node ${event.leaderId} in term ${event.term}`);
        break;
      case "conflictFound":
        this.#say(`node ${node.id} drops entries from index ${event.index} on: never committed`);
        break;
      default:
        break;
    }
  }

  /** Whoever commits first is the leader; the others follow a moment later. */
  #showCommit(node: SimNode, commitIndex: number): void {
    const { now } = this.#world.queue;
    if (commitIndex <= this.#shownCommit || now - this.#shownAt < COMMIT_INTERVAL) return;
    this.#shownCommit = commitIndex;
    this.#shownAt = now;
    this.#say(`node ${node.id} commits up to index ${commitIndex}`);
  }

  #say(text: string): void {
    const seconds = (this.#world.queue.now / SECOND).toFixed(3).padStart(7);
    console.log(`${seconds} s  ${text}`);
  }
}

/** A few digits of the running hash of everything that a node has applied. */
function digest(node: SimNode | undefined): string {
  const { hashHigh = 0, hashLow = 0 } = node?.machine ?? {};
  return ((hashHigh ^ hashLow) >>> 0).toString(16).padStart(8, "0");
}

/** @returns the exit code of the process. */
async function main(words: readonly string[]): Promise<number> {
  if (words.includes("--help")) {
    console.log("usage: npm run demo\n\nThree simulated nodes, for about seven seconds. No flags.");
    return 0;
  }
  if (words.length > 0) {
    console.error(`unknown flag ${words[0]}; the demo has none but --help`);
    return 2;
  }
  await new Demo().run();
  return 0;
}

endWithReader();
process.exitCode = await main(process.argv.slice(2));
