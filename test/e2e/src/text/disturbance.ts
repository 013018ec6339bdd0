/** What is done to the cluster while it is published to: when, and to whom, is drawn by a seed. */

import { Prng } from "@quorumlog/std";
import type { ProcessCluster } from "../kit/process-cluster.ts";

export interface DisturbanceOptions {
  readonly seed: number;
  /** Of lines that will be published. */
  readonly bytes: number;
  readonly kills: number;
  readonly replacements: number;
  readonly memberKills: number;
}

type Kind = "kill-leader" | "replace-follower" | "kill-member";

interface Step {
  readonly kind: Kind;
  /** Not before so much has been published. */
  readonly atBytes: number;
}

export interface DisturbanceInit {
  readonly cluster: ProcessCluster;
  /** Kills one of the consumer group's members, and starts another. @returns who it was. */
  readonly killMember: (prng: Prng) => Promise<string>;
  readonly tell: (line: string) => void;
}

export class Disturbance {
  readonly #init: DisturbanceInit;
  readonly #prng: Prng;
  readonly #steps: readonly Step[];
  #publishedBytes = 0;
  /** How far the publisher may go: each step is to happen while there is traffic. */
  #limitBytes: number;
  #letGo: (() => void) | undefined;
  #onBytes: (() => void) | undefined;
  #kills = 0;

  constructor(init: DisturbanceInit, options: DisturbanceOptions) {
    this.#init = init;
    this.#prng = new Prng(options.seed);
    this.#steps = stepsOf(options, this.#prng);
    this.#limitBytes = this.#steps[1]?.atBytes ?? Number.POSITIVE_INFINITY;
  }

  /** @returns what to wait for, if the next step is due. */
  mayGoOn(bytes: number): Promise<void> | undefined {
    this.#publishedBytes = bytes;
    this.#onBytes?.();
    if (bytes < this.#limitBytes) return undefined;
    return new Promise((resolve) => {
      this.#letGo = resolve;
    });
  }

  /** @returns once all of it is done, and the cluster is whole again. */
  async run(): Promise<void> {
    for (const [i, step] of this.#steps.entries()) {
      this.#limitBytes = this.#steps[i + 1]?.atBytes ?? Number.POSITIVE_INFINITY;
      this.#letGo?.();
      await this.#published(step.atBytes);
      await this.#perform(step.kind);
    }
  }

  async #published(bytes: number): Promise<void> {
    while (this.#publishedBytes < bytes)
      await new Promise<void>((resolve) => {
        this.#onBytes = resolve;
      });
    this.#onBytes = undefined;
  }

  async #perform(kind: Kind): Promise<void> {
    const { cluster, killMember, tell } = this.#init;
    if (kind === "kill-member") {
      tell(`${await killMember(this.#prng)} was killed; another member has joined`);
      return;
    }
    const { groupIds } = cluster;
    // In turn, so that each group loses its leader.
    const groupId = groupIds[this.#kills % groupIds.length] as number;
    if (kind === "replace-follower") {
      const leader = await cluster.leaderOf(groupId);
      const followers = cluster.nodeIdsOf(groupId).filter((nodeId) => nodeId !== leader);
      const follower = this.#prng.pick(followers);
      tell(`node ${follower}, which follows in group ${groupId}, is killed for good`);
      const replacement = await cluster.replace(follower);
      tell(`node ${replacement} has taken the place of node ${follower}`);
      return;
    }
    this.#kills += 1;
    const killed = await cluster.killLeader(groupId);
    tell(`node ${killed}, which led group ${groupId}, was killed: kill ${this.#kills}`);
    await cluster.restart(killed);
    await caughtUp(cluster, killed, groupId);
  }
}

/** Else the next kill in its group could leave nobody who may lead. */
async function caughtUp(cluster: ProcessCluster, nodeId: number, groupId: number): Promise<void> {
  const leader = await cluster.statusOf(await cluster.leaderOf(groupId));
  const goal = leader?.commitIndex ?? 0;
  await cluster.until(`node ${nodeId} has caught up`, async () => {
    const status = await cluster.statusOf(nodeId);
    return (status?.syncedIndex ?? 0) >= goal ? true : undefined;
  });
}

function stepsOf(options: DisturbanceOptions, prng: Prng): Step[] {
  const { bytes, kills, replacements, memberKills } = options;
  const kinds: Kind[] = [
    ...Array.from({ length: kills }, (): Kind => "kill-leader"),
    ...Array.from({ length: replacements }, (): Kind => "replace-follower"),
    ...Array.from({ length: memberKills }, (): Kind => "kill-member"),
  ];
  prng.shuffle(kinds);
  // In the middle of a part of its own, more or less; and some is published behind the last one.
  const part = bytes / (kinds.length + 1);
  return kinds.map((kind, i) => ({
    kind,
    atBytes: Math.round((i + 0.25 + prng.fraction() / 2) * part),
  }));
}
