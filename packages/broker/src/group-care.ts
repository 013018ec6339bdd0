/**
 * Forgets consumer groups that nobody uses any more, on the leader of each broker group: it looks
 * now and then, and what it finds becomes a command, which decides by the log's time.
 *
 *     metadata group:  no members for a week ──> ExpireGroups ──> the group is not known any more
 *     each group:      no commit for a week, and not known there ──> ExpireOffsets ──> no offsets
 *
 * While a group has members its offsets stay, however old they are: nothing may have come that
 * could be committed. So the coordinator is asked, and while it is not reached, nothing is
 * forgotten.
 */

import { OperationError } from "@quorumlog/protocol";
import type {
  Command,
  DormantGroup,
  FindDormantGroupsReply,
  FindDormantGroupsRequest,
} from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "./broker-group.ts";
import { METADATA_GROUP_ID } from "./state/broker-machine.ts";
import { EXPIRED_PER_COMMAND_MAX } from "./state/consumer-offsets.ts";

export interface GroupCareInit {
  readonly group: BrokerGroup;
  /** 0: nothing is forgotten. */
  readonly retentionMs: number;
  /** @throws OperationError if the coordinator is not reached */
  readonly findDormant: (
    request: FindDormantGroupsRequest.$Properties,
  ) => Promise<FindDormantGroupsReply.$Properties>;
  readonly onExpired: (groups: readonly string[]) => void;
  readonly onDefect: (error: unknown) => void;
}

/** A group is forgotten so much later than it might be, or a quarter later if that is less. */
const LOOK_MS_MAX = 60_000;
const LOOK_MS_MIN = 250;

export class GroupCare {
  readonly #init: GroupCareInit;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(init: GroupCareInit) {
    this.#init = init;
  }

  start(): void {
    const { retentionMs } = this.#init;
    if (retentionMs === 0) return;
    const everyMs = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, retentionMs / 4));
    this.#timer = setInterval(() => {
      if (this.#isLooking) return;
      this.#isLooking = true;
      // What goes wrong is looked at there: it never rejects.
      void this.#look().finally(() => {
        this.#isLooking = false;
      });
    }, everyMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { group, onDefect } = this.#init;
    if (!group.hasBegun) return;
    try {
      if (group.groupId === METADATA_GROUP_ID) await this.#expireGroups();
      await this.#expireOffsets();
    } catch (error) {
      // Somebody else leads, or nobody does: it is looked at again.
      if (!(error instanceof OperationError)) onDefect(error);
    }
  }

  async #expireGroups(): Promise<void> {
    const { group, retentionMs } = this.#init;
    const expireGroups = { retentionMs };
    const { machine } = group;
    if (machine.consumerGroups.hasExpired(retentionMs, this.#now()))
      await this.#expire({ expireGroups });
  }

  async #expireOffsets(): Promise<void> {
    const { group, retentionMs, findDormant } = this.#init;
    const { offsets, producerGroups } = group.machine;
    const quiet = offsets.quietGroups(retentionMs, this.#now());
    for (let i = 0; i < quiet.length; i += EXPIRED_PER_COMMAND_MAX) {
      const some = quiet.slice(i, i + EXPIRED_PER_COMMAND_MAX);
      const { groups } = await findDormant({ groups: some });
      if (groups && groups.length > 0) await this.#expireOffsetsOf(groups);
    }
    if (producerGroups.hasExpired(retentionMs, this.#now())) await this.#expireOffsetsOf([]);
  }

  async #expireOffsetsOf(groups: readonly DormantGroup.$Properties[]): Promise<void> {
    const { retentionMs } = this.#init;
    await this.#expire({ expireOffsets: { retentionMs, groups: [...groups] } });
  }

  async #expire(command: Command.$Properties): Promise<void> {
    const { group, onExpired } = this.#init;
    const { expiredGroups } = await group.execute(command);
    if (expiredGroups.length > 0) onExpired(expiredGroups);
  }

  /**
   * For a look: a log that nothing is written to stands still. Its next record says what time it
   * is.
   */
  #now(): number {
    return Math.max(Date.now(), this.#init.group.replica.status().time);
  }
}
