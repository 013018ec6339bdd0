/** The gate before the core: what is not looked into, whatever it says. */

import { findMember } from "./configuration.ts";
import type { CoreState } from "./core-state.ts";
import type { DropReason } from "./drop-reason.ts";
import { isReply, type Message } from "./message.ts";
import { messageProblem } from "./message-problem.ts";

/** @returns `undefined` if it is sound, meant for this node, and from a life that counts. */
export function messageRefusal(core: CoreState, message: Message): DropReason | undefined {
  if (messageProblem(message) !== undefined) return "malformed";
  if (message.to !== core.id) return "misaddressed";
  if (message.toIncarnation !== core.incarnation) return "stale-incarnation";
  if (message.from === core.id && !isPromiseToSelf(message, core.incarnation))
    return "misaddressed";
  return senderRefusal(core, message);
}

function senderRefusal({ configuration }: CoreState, message: Message): DropReason | undefined {
  const member = findMember(configuration, message.from);
  if (member === undefined) return isReply(message) ? "not-a-member" : undefined;
  // An answer counts only from the very member that is configured. A request may also come from a
  // later life: this node may be behind.
  const isStale = isReply(message)
    ? message.fromIncarnation !== member.incarnation
    : message.fromIncarnation < member.incarnation;
  return isStale ? "stale-incarnation" : undefined;
}

/** Whether a message to oneself is of a kind that the core addresses to itself. */
function isPromiseToSelf(message: Message, incarnation: number): boolean {
  if (message.fromIncarnation !== incarnation) return false;
  if (message.type === "AppendEntriesReply") return !message.rejected;
  return message.type === "RequestVoteReply" || message.type === "RequestPreVoteReply";
}
