/** Changing who is in the group, step by step, each step in the log before the next one. */

import {
  type ConfigurationChange,
  findMember,
  isJoint,
  isVoter,
  type Member,
  type MemberChange,
  type ProgressView,
} from "@quorumlog/raft";
import { demandInteger } from "./append-outcome.ts";
import type { CommandDraft } from "./container.ts";
import { COMMAND_KIND, commandBytes } from "./container.ts";
import type { GroupWaits } from "./group-waits.ts";
import { isAddress } from "./peer-directory.ts";
import type { Replica } from "./replica.ts";
import { notLeader, ReplicaError, withUnknownOutcome } from "./replica-error.ts";
import type { CallOptions } from "./replicated-group.ts";

export interface MembershipInit {
  readonly replica: Replica;
  readonly waits: GroupWaits;
  readonly append: (draft: CommandDraft, options: CallOptions) => Promise<void>;
}

type Checked = CallOptions & { readonly timeoutMs: number };

export class MembershipChanges {
  readonly #init: MembershipInit;

  constructor(init: MembershipInit) {
    this.#init = init;
  }

  async addLearner(nodeId: number, address: string, options: Checked): Promise<void> {
    const { replica } = this.#init;
    demandInteger("nodeId", nodeId, 1, Number.MAX_SAFE_INTEGER);
    if (typeof address !== "string" || !isAddress(address))
      throw new ReplicaError("INVALID_ARGUMENT", `address: ${address} is not host:port`);
    this.#demandLeader();
    // It would lose its vote, as by a repeated call whose learner was promoted meanwhile.
    if (isVoter(replica.keeper.configuration, nodeId))
      throw new ReplicaError("MEMBERSHIP_REFUSED", `node ${nodeId} is a voter: remove it first`);
    replica.peers.seek(nodeId, address);
    const incarnation = await this.#until(
      `node ${nodeId} was not reached at ${address} in time: is it open, with the same token?`,
      options,
      () => replica.peers.incarnationOf(nodeId),
    );
    await this.#init.append(addressDraft(nodeId, address), options);
    await this.#change([{ operation: "addLearner", member: { id: nodeId, incarnation } }], options);
  }

  async promote(nodeId: number, options: Checked): Promise<void> {
    this.#demandLeader();
    this.#member(nodeId);
    await this.#untilCaughtUp(nodeId, options);
    await this.#change([{ operation: "addVoter", member: this.#member(nodeId) }], options);
  }

  async remove(nodeId: number, options: Checked): Promise<void> {
    await this.#change([{ operation: "remove", member: this.#member(nodeId) }], options);
  }

  async replace(
    former: number,
    next: { readonly nodeId: number; readonly address: string },
    options: Checked,
  ): Promise<void> {
    this.#demandLeader();
    const leaving = this.#member(former);
    await this.addLearner(next.nodeId, next.address, options);
    try {
      await this.#untilCaughtUp(next.nodeId, options);
      await this.#change(
        [
          { operation: "addVoter", member: this.#member(next.nodeId) },
          { operation: "remove", member: leaving },
        ],
        options,
      );
    } catch (error) {
      // Whatever became of the rest, it is a learner now.
      throw withUnknownOutcome(error);
    }
  }

  /** Proposes a change, and waits until it is in force, the joint configuration behind. */
  async #change(changes: readonly MemberChange[], options: Checked): Promise<void> {
    const { replica } = this.#init;
    const form = changes.length === 1 ? "single" : "set";
    const change: ConfigurationChange = { form, transition: "auto", changes };
    const result = replica.proposeChange(change);
    if (result.status === "refused") throw new ReplicaError("MEMBERSHIP_REFUSED", result.reason);
    if (result.status === "dropped" && result.reason === "overloaded")
      throw new ReplicaError("OVERLOADED", "leadership is on the move", { retryAfterMs: 100 });
    if (result.status !== "appended") throw notLeader(replica.status().leaderId);
    const { firstIndex, term } = result;
    try {
      await this.#until("the change was not committed in time", options, () => {
        if (replica.keeper.appliedIndex < firstIndex) return undefined;
        if (replica.log.term(firstIndex) !== term) throw replaced();
        return isJoint(replica.keeper.configuration) ? undefined : true;
      });
    } catch (error) {
      // The change is in the log: whatever ended the wait, it may yet be committed.
      throw withUnknownOutcome(error);
    }
  }

  /** Waits until a member holds everything, from the first index that the group retains. */
  async #untilCaughtUp(nodeId: number, options: Checked): Promise<void> {
    const { replica } = this.#init;
    this.#demandLeader();
    const goal = replica.status().commitIndex;
    await this.#until(`node ${nodeId} did not catch up in time`, options, () => {
      if (replica.status().role !== "leader") throw notLeader(replica.status().leaderId);
      const view = replica.progress().find(({ id }) => id === nodeId);
      return isCaughtUp(view, goal) ? true : undefined;
    });
  }

  #member(nodeId: number): Member {
    const member = findMember(this.#init.replica.keeper.configuration, nodeId);
    if (member !== undefined) return member;
    throw new ReplicaError("MEMBERSHIP_REFUSED", `node ${nodeId} is not a member of the group`);
  }

  #demandLeader(): void {
    const { role, leaderId } = this.#init.replica.status();
    if (role !== "leader") throw notLeader(leaderId);
  }

  #until<T>(why: string, options: Checked, look: () => T | undefined): Promise<T> {
    const { timeoutMs, signal } = options;
    return this.#init.waits.until(look, { why, timeoutMs, signal });
  }
}

function isCaughtUp(view: ProgressView | undefined, goal: number): boolean {
  return view !== undefined && view.state === "replicate" && view.matchIndex >= goal;
}

function addressDraft(nodeId: number, address: string): CommandDraft {
  const records = [Buffer.from(address, "utf8")];
  const kind = COMMAND_KIND.address;
  const bytes = commandBytes(records);
  return { kind, sessionId: 0, sequence: nodeId, offset: 0, records, bytes };
}

/** Another leader's entry stands there, or a snapshot took the place of both. */
function replaced(): ReplicaError {
  const message = "what became of the change is not known: look at the configuration";
  return new ReplicaError("LEADERSHIP_LOST", message, { outcome: "unknown" });
}
