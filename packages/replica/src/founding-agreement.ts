/**
 * How founders come to the same beginning: each draws a number for the life of its disk, and tells
 * the others; when one has heard all, it begins, and whoever is behind takes over what it began.
 *
 *     draw ──> introduce ──> heard all others? ──> begin with these lives as voters
 *                  │
 *                  └──> a group answers ──> this life is in it: begin as it says
 *                                      └──> it is not: this disk was lost, or is another one
 *
 * A founder whose disk is lost draws another number, which the group does not know: so it cannot
 * begin again on an empty disk, and break what its former disk had promised.
 */

import { type Configuration, EMPTY_CONFIGURATION, findMember, type Member } from "@quorumlog/raft";
import type { GroupLink, GroupReceiver, PeerIdentity, Transport } from "@quorumlog/transport";
import type { NodeIdentity } from "./node-directory.ts";
import { decodeEnvelope, encodeEnvelope } from "./peer-envelope.ts";
import { ReplicaError } from "./replica-error.ts";
import type { ReplicaEventListener } from "./replica-event.ts";

/** The founders, each in this life; or `member`: a group has begun, and has this life in it. */
export type FoundingResult = readonly Member[] | "member";

export interface FoundingInit {
  readonly groupId: number;
  readonly identity: NodeIdentity;
  /** The keys are the founders. */
  readonly addresses: ReadonlyMap<number, string>;
  readonly transport: Transport;
  readonly onEvent: ReplicaEventListener;
  /** Called once, unless it is stopped or refused. */
  readonly onAgreed: (result: FoundingResult) => void;
  readonly onRefused: (error: ReplicaError) => void;
}

export class FoundingAgreement implements GroupReceiver {
  readonly #init: FoundingInit;
  readonly #link: GroupLink;
  /** By node id, the life that each founder is in. */
  readonly #lives: Map<number, number>;
  #isOver = false;

  constructor(init: FoundingInit) {
    const { identity, transport, groupId, addresses } = init;
    this.#init = init;
    this.#lives = new Map([[identity.nodeId, identity.incarnation]]);
    this.#link = transport.attach(groupId, this);
    this.#link.setPeers(addresses);
    this.#look();
  }

  /** Ends it without a result. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#link.detach();
  }

  onPeerUp({ nodeId }: PeerIdentity): void {
    this.#introduce(nodeId, true);
  }

  onFrame({ nodeId }: PeerIdentity, payload: Uint8Array): void {
    const envelope = decodeEnvelope(payload);
    // A group that has begun may already send this node what comes next: it comes again.
    if (this.#isOver || envelope?.kind !== "introduction") return;
    if (envelope.isQuestion) this.#introduce(nodeId, false);
    if (envelope.configuration.voters.length > 0) this.#meetGroup(envelope.configuration);
    else if (this.#init.addresses.has(nodeId)) {
      this.#lives.set(nodeId, envelope.incarnation);
      this.#look();
    }
  }

  onPeerDown(): void {
    // It is dialed again by itself.
  }

  onPeerGone(): void {
    // It is dialed again by itself.
  }

  #introduce(to: number, isQuestion: boolean): void {
    const { identity, addresses } = this.#init;
    const parts = encodeEnvelope({
      kind: "introduction",
      incarnation: identity.incarnation,
      address: addresses.get(identity.nodeId) ?? "",
      configuration: EMPTY_CONFIGURATION,
      isQuestion,
    });
    this.#link.send(to, "control", parts);
  }

  #look(): void {
    const { addresses, onEvent } = this.#init;
    const waitingFor = [...addresses.keys()].filter((id) => !this.#lives.has(id));
    if (waitingFor.length > 0) {
      onEvent({ type: "founding", waitingFor });
      return;
    }
    this.#agree([...this.#lives].map(([id, incarnation]) => ({ id, incarnation })));
  }

  #meetGroup(configuration: Configuration): void {
    const { nodeId, incarnation } = this.#init.identity;
    const member = findMember(configuration, nodeId);
    if (member?.incarnation === incarnation) {
      this.#agree("member");
      return;
    }
    this.stop();
    const knows = member === undefined ? "does not know this node" : "knows it by another disk";
    this.#init.onRefused(
      new ReplicaError(
        "DISK_LOST",
        `the group has begun already, and ${knows}: its disk was lost, or is the wrong one. ` +
          `Remove node ${nodeId} from the group, empty its directory, open it with ` +
          'ifMissing: "join", and add it again',
      ),
    );
  }

  #agree(result: FoundingResult): void {
    this.stop();
    this.#init.onAgreed(result);
  }
}
