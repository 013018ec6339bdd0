/** The duties of `ReplicatedGroup`, on virtual time. */

import type { Environment } from "@quorumlog/replica";
import {
  COMMAND_KIND,
  type CommandDraft,
  GroupDuties,
  type Replica,
  type Retention,
} from "@quorumlog/replica/testing";
import type { SimulatedDisk } from "./simulated-disk.ts";
import type { Tuning } from "./sim-node.ts";

export type { Retention } from "@quorumlog/replica/testing";

export interface LeaderDutiesInit {
  readonly nodeId: number;
  readonly replica: Replica;
  readonly environment: Environment;
  readonly tuning: Tuning;
  readonly retention: Retention | undefined;
  readonly disk: SimulatedDisk;
  /** It asks for a trim up to there. */
  readonly onTrim: (offset: number) => void;
}

export class LeaderDuties {
  readonly #init: LeaderDutiesInit;
  readonly #duties: GroupDuties;

  constructor(init: LeaderDutiesInit) {
    const { disk, ...rest } = init;
    this.#init = init;
    this.#duties = new GroupDuties({
      ...rest,
      preferredLeaders: [],
      rulesVersion: 0,
      freeBytes: () => disk.freeBytes(),
      totalBytes: () => disk.totalBytes(),
      onEvent: () => undefined,
      submit: (draft, onSettled) => {
        this.#submit(draft, onSettled);
      },
    });
  }

  onTurn(): void {
    if (this.#init.replica.isOpen()) this.#duties.onTurn();
  }

  stop(): void {
    this.#duties.stop();
  }

  /** The voter that is furthest, if this node leads and there is one. */
  heir(nodeId: number): number | undefined {
    const { replica } = this.#init;
    if (replica.status().role !== "leader") return undefined;
    const heirs = replica
      .progress()
      .filter(({ id, isLearner, recentActive, isSuspect }) => {
        return recentActive && !isLearner && !isSuspect && id !== nodeId;
      })
      .toSorted((a, b) => b.matchIndex - a.matchIndex);
    return heirs[0]?.id;
  }

  #submit(draft: CommandDraft, onSettled: () => void): void {
    const { replica, environment, tuning, onTrim } = this.#init;
    // Now: it may be on its way to others when this process ends within its turn.
    if (draft.kind === COMMAND_KIND.trim) onTrim(draft.offset);
    const deadline = environment.now() + tuning.timeoutMs;
    try {
      const call = { draft, durability: "quorum" as const, deadline, settle: onSettled };
      replica.proposals.submit(call, tuning.timeoutMs);
      replica.wantTurn();
    } catch {
      // Overloaded, or no leader any more: it is due again.
      environment.soon(onSettled);
    }
  }
}
