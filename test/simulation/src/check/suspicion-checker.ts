/** What a node may not do whose host went down with entries that it had acknowledged unsynced. */

import type { Configuration, Entry, Message } from "@quorumlog/raft";
import type { LogView } from "../engine/log-view.ts";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { Ledger } from "./ledger.ts";
import { majority } from "./member-directory.ts";

/** A leader counts nobody who is suspect, as far as it knows; asked while it counts. */
export function checkCounted(
  leader: SimNode,
  { index }: Entry,
  configuration: Configuration,
): void {
  const counted = new Map(
    leader.core
      .progress()
      .filter(({ matchIndex, isSuspect }) => matchIndex >= index && !isSuspect)
      .map((view) => [view.id, view]),
  );
  for (const half of [configuration.voters, configuration.votersOutgoing])
    hold(
      majority(half, ({ id }) => counted.has(id)),
      "who is suspect counts for nothing",
      [leader.id],
      () => `index ${index} is committed with ${[...counted.keys()].join(" ")}`,
    );
}

/** Who may lack what it has acknowledged neither votes nor asks for votes. */
export function checkTrusted(node: SimNode, message: Message): void {
  const isVote =
    (message.type === "RequestVoteReply" || message.type === "RequestPreVoteReply") &&
    message.voteGranted;
  const isCampaign = message.type === "RequestVote" || message.type === "RequestPreVote";
  if (!isVote && !isCampaign) return;
  hold(
    node.core.status().loss?.isSuspect !== true,
    "who is suspect elects nobody",
    [node.id, message.to],
    () => `${message.type} in term ${message.term}`,
  );
}

/**
 * Whoever is cleared holds again what it had forgotten, as far as that is committed.
 *
 * @param forgotten - Its log as it was.
 */
export function checkCaughtUp(node: SimNode, forgotten: LogView, ledger: Ledger): void {
  let index = Math.min(forgotten.lastIndex, ledger.committedIndex);
  // What it held from a leader that was deposed, and was never committed, it need not hold again.
  while (index > ledger.baseIndex && ledger.term(index) !== forgotten.term(index)) index -= 1;
  const term = ledger.term(index);
  if (term === undefined || index <= ledger.baseIndex) return;
  hold(
    node.disk.durable.log.covers({ index, term }),
    "whoever is cleared holds what it had forgotten",
    [node.id],
    () => `index ${index} of term ${term}; its log ends at ${node.disk.durable.log.lastIndex}`,
  );
}
