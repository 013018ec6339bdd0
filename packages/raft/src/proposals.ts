/** Commands on their way into the log. */

import { sometimes } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import { appendToLog } from "./leader-log.ts";
import type { ProposalDropReason, ProposeResult } from "./propose-result.ts";
import { broadcastAppend } from "./replication.ts";
import type { Leader, Proposal, Transfer } from "./role.ts";

/** Appends commands as one batch, or says why not. */
export function propose(core: CoreState, proposal: Proposal): ProposeResult {
  const leader = core.leader();
  if (leader === undefined)
    return dropped(core, core.leaderId === undefined ? "no-leader" : "not-leader");
  if (!core.isMember()) return dropped(core, "removed");
  if (leader.transfer !== undefined) return park(core, leader.transfer, proposal);
  const result = appendCommands(core, leader, proposal);
  if (result.status === "appended") broadcastAppend(core, leader);
  return result;
}

export function dropped(core: CoreState, reason: ProposalDropReason): ProposeResult {
  core.emit({ type: "proposalDropped", reason, term: core.currentTerm });
  return { status: "dropped", reason, leaderId: core.leaderId };
}

/** Appends what was parked, for a leader that stays; each batch is told its fate. */
export function releaseParked(core: CoreState, leader: Leader, transfer: Transfer): void {
  if (transfer.parked.length === 0) return;
  for (const parked of transfer.parked) {
    const { ticket } = parked;
    const result = appendCommands(core, leader, parked);
    if (result.status === "appended") {
      sometimes("parked proposal appended");
      const { firstIndex, term } = result;
      core.parkedOutcomes.push({ ticket, result: { firstIndex, term } });
    } else core.parkedOutcomes.push({ ticket, result: "dropped" });
  }
  broadcastAppend(core, leader);
}

function appendCommands(core: CoreState, leader: Leader, proposal: Proposal): ProposeResult {
  const { commands, checksums } = proposal;
  const drafts = commands.map(
    (data, i) => ({ kind: "normal", data, checksum: checksums?.[i] }) as const,
  );
  const firstIndex = appendToLog(core, leader, drafts);
  if (firstIndex === undefined) return dropped(core, "overloaded");
  const lastIndex = firstIndex + commands.length - 1;
  return { status: "appended", firstIndex, lastIndex, term: core.currentTerm };
}

/**
 * While leadership moves, new entries would only keep the transferee from catching up. They wait,
 * for one election timeout at most, and are appended if the transfer fails.
 */
function park(core: CoreState, transfer: Transfer, proposal: Proposal): ProposeResult {
  const { commands, checksums } = proposal;
  const { parkedCountMax, parkedBytesMax } = core.options;
  let bytes = 0;
  for (const command of commands) bytes += command.byteLength;
  const isFull =
    transfer.parked.length >= parkedCountMax || transfer.parkedBytes + bytes > parkedBytesMax;
  if (isFull) return dropped(core, "overloaded");
  sometimes("proposal parked");
  const ticket = core.nextTicket;
  core.nextTicket += 1;
  transfer.parked.push({ ticket, commands, checksums });
  transfer.parkedBytes += bytes;
  return { status: "parked", ticket };
}
