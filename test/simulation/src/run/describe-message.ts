/** Messages in one line each, for the story of a run. */

import type { Message } from "@quorumlog/raft";

export function describeMessage(message: Message): string {
  const { type, from, to, term } = message;
  return `${from}->${to} ${type} term=${term} ${body(message)}`.trimEnd();
}

function body(message: Message): string {
  switch (message.type) {
    case "AppendEntries": {
      const { prevLogIndex, prevLogTerm, entries, leaderCommit } = message;
      const list = entries.map(({ index, term }) => `${index}/${term}`).join(" ");
      return `prev=${prevLogIndex}/${prevLogTerm} [${list}] commit=${leaderCommit}`;
    }
    case "AppendEntriesReply":
      return message.rejected
        ? `rejected=${message.index} hint=${message.hintIndex}/${message.hintTerm}`
        : `match=${message.index}`;
    case "Heartbeat":
      return `round=${message.round} commit=${message.leaderCommit}`;
    case "HeartbeatReply":
      return `round=${message.round}`;
    case "RequestVote":
      return (
        `last=${message.lastLogIndex}/${message.lastLogTerm}` +
        (message.isTransfer ? " transfer" : "")
      );
    case "RequestPreVote":
      return `last=${message.lastLogIndex}/${message.lastLogTerm}`;
    case "RequestVoteReply":
    case "RequestPreVoteReply":
      return message.voteGranted ? "granted" : "refused";
    case "InstallSnapshot":
      return `at=${message.snapshot.lastIncludedIndex}/${message.snapshot.lastIncludedTerm}`;
    case "ReadIndexRequest":
      return `context=${message.context}`;
    case "ReadIndexReply":
      return `context=${message.context} index=${message.readIndex}`;
    case "TransferLeadershipRequest":
      return `to=${message.transferee}`;
    default:
      return "";
  }
}
