/** Marks of rare paths that show in the events of cores, and the story that these events tell. */

import { isJoint, type NodeId, type RaftEvent, type Term } from "@quorumlog/raft";
import type { Marks } from "../engine/marks.ts";
import type { Trace } from "../engine/trace.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { Cluster } from "./cluster.ts";

export type NodeEventListener = (node: SimNode, event: RaftEvent) => void;

export class EventMarks {
  readonly #marks: Marks;
  readonly #trace: Trace;
  readonly #listener: NodeEventListener | undefined;
  readonly #toldToCampaign = new Map<NodeId, Term>();
  /** The term of the leader under which the last joint configuration was proposed. */
  #jointTerm: Term = 0;
  elections = 0;

  constructor(marks: Marks, trace: Trace, listener: NodeEventListener | undefined) {
    this.#marks = marks;
    this.#trace = trace;
    this.#listener = listener;
  }

  onEvent(node: SimNode, event: RaftEvent): void {
    this.#listener?.(node, event);
    this.#narrate(node, event);
    switch (event.type) {
      case "becameLeader":
        this.elections += 1;
        if (this.#toldToCampaign.get(node.id) === event.term - 1)
          this.#marks.hit("transfer won by its transferee");
        break;
      case "timeoutNowReceived":
        this.#toldToCampaign.set(node.id, event.term);
        break;
      case "voteIgnoredUnderLease":
        this.#marks.hit(`${event.kind} ignored under a lease`);
        break;
      case "voteAnswered":
        this.#onVoteAnswered(node, event);
        break;
      case "messageDropped":
        this.#marks.hit(`message dropped: ${event.reason}`);
        break;
      case "stableEntryMismatched":
        this.#marks.hit("append done for entries rewritten meanwhile (ABA)");
        break;
      case "staleAppendDone":
        this.#marks.hit("append done of an earlier term");
        break;
      case "configurationChangeProposed":
        if (event.change.changes.length > 0) this.#jointTerm = node.core.status().currentTerm;
        break;
      case "autoLeaveProposed":
        if (this.#jointTerm < node.core.status().currentTerm)
          this.#marks.hit("joint configuration left by a later leader");
        break;
      case "configurationChangeRefused":
        this.#marks.hit("configuration change refused");
        break;
      case "configurationSwitched":
        if (isJoint(event.configuration)) this.#marks.hit("joint configuration in force");
        break;
      case "snapshotIgnored":
        this.#marks.hit("snapshot ignored");
        break;
      case "snapshotWithheld":
        this.#marks.hit(`snapshot withheld: ${event.reason}`);
        break;
      case "transferAborted":
        this.#marks.hit(`transfer aborted: ${event.reason}`);
        break;
      case "unstableTruncated":
        this.#marks.hit("unstable entries truncated");
        break;
      default:
        break;
    }
  }

  #onVoteAnswered(node: SimNode, event: RaftEvent & { type: "voteAnswered" }): void {
    if (event.granted || event.kind === "preVote") return;
    const { recovered } = node;
    const isOld =
      recovered.currentTerm === event.term &&
      recovered.votedFor !== undefined &&
      recovered.votedFor === event.votedFor &&
      event.candidate !== event.votedFor;
    if (isOld) this.#marks.hit("vote of an earlier life kept");
  }

  /** A change of membership was committed. */
  onChangeCommitted(cluster: Cluster): void {
    const { hosts, network, ledger } = cluster;
    if (ledger.configuration.learners.some(({ incarnation }) => incarnation > 1))
      this.#marks.hit("wiped node rejoined as a learner");
    if (ledger.configuration.voters.some(({ incarnation }) => incarnation > 1))
      this.#marks.hit("wiped node became a voter again");
    const isPartitioned = hosts.some(({ id }) =>
      hosts.some((peer) => peer.id !== id && network.link(id, peer.id).isBlocked),
    );
    if (isPartitioned) this.#marks.hit("configuration change committed under a partition");
  }

  #narrate(node: SimNode, event: RaftEvent): void {
    if (!this.#trace.isWritten) return;
    switch (event.type) {
      case "messageQueued":
      case "messageReceived":
      case "readyTaken":
      case "progressDecreased":
        return;
      case "messageDropped":
        this.#trace.note(() => `node ${node.id} drops ${event.message.type}: ${event.reason}`);
        return;
      default:
        this.#trace.note(() => `node ${node.id} ${JSON.stringify(event)}`);
    }
  }
}
