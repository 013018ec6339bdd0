/**
 * How founders come to the same beginning, in two phases: whom each confirms, it is bound to.
 *
 *     draw ──> introduce ──> all others heard, or one's set ──> note the set ──> confirm it to all
 *                  │                                                                  │
 *                  │             begin, with this set as voters <── all have confirmed the same set
 *                  └──> a group answers that has begun
 *                          ├──> this life is in it: begin, as a founder or as a member
 *                          └──> it is not: this disk was lost, or is another one
 *
 * Each draws the number of its disk's life. A **set** is one life of each founder. A life confirms
 * one set at most, ever: the set is noted, synced, in the file that holds the number of the life,
 * before anybody is told; so a disk that loses the one loses the other.
 *
 * No two groups begin: whoever begins has heard all founders of its set S, in the lives of S,
 * confirm S; so has, by induction, the first one of those who begin by a group's answer. For
 * another set T of the same founders to begin, too, all lives of T must have confirmed T, and none
 * of these has confirmed S: so T has no life in common with S, and the disks of all founders of S
 * were lost. Then nothing is left that T could contradict. As long as one disk of S lives, its
 * node never accepts another set, and no other begins.
 *
 * A lost disk is why agreement can become impossible: its founder draws another life, which nobody
 * accepts who has confirmed the former one. That is refused, for people to start over; it cannot
 * be repaired here, because nobody can tell a founder that will never begin from one that has.
 *
 * Nothing here waits for a single message: what was said is said again, and asked for again. What
 * was confirmed is taken up again after a restart, and noted again before it is told: the process
 * may have ended between writing it and syncing it.
 */

import { EMPTY_CONFIGURATION, findMember, type Member } from "@quorumlog/raft";
import type { GroupLink, GroupReceiver, PeerIdentity, Transport } from "@quorumlog/transport";
import type { FileSystem } from "@quorumlog/log";
import { required } from "@quorumlog/std";
import type { Environment } from "./environment.ts";
import { decodeFounded, unfounded } from "./founded-transport.ts";
import { foundingConfiguration, foundingDigest } from "./founding.ts";
import {
  foundingOf,
  type NodeIdentity,
  updateNodeIdentity,
  withFounding,
} from "./node-directory.ts";
import { encodeEnvelope, type Introduction } from "./peer-envelope.ts";
import { failedWith, ReplicaError } from "./replica-error.ts";
import type { ReplicaEventListener } from "./replica-event.ts";

export type FoundingResult =
  /** All have confirmed these lives, with this node's among them. */
  | { readonly kind: "founder"; readonly founders: readonly Member[] }
  /**
   * A group has begun, and has this life in it. As it has confirmed no founders it is none of
   * them: somebody has added it. It has no log and promised nothing, so it may begin with nothing.
   */
  | { readonly kind: "member"; readonly digest: string | undefined };

export interface FoundingInit {
  readonly groupId: number;
  readonly identity: NodeIdentity;
  /** The keys are the founders. */
  readonly addresses: ReadonlyMap<number, string>;
  readonly transport: Transport;
  readonly environment: Environment;
  readonly fileSystem: FileSystem;
  /** Of the node. */
  readonly directory: string;
  readonly onEvent: ReplicaEventListener;
  /** Called once, unless it is stopped or refused. */
  readonly onAgreed: (result: FoundingResult) => void;
  readonly onRefused: (error: ReplicaError) => void;
}

/** Messages may be lost without a connection that is. */
const REPEAT_MS = 500;

export class FoundingAgreement implements GroupReceiver {
  readonly #init: FoundingInit;
  readonly #link: GroupLink;
  /** What each other founder said last, since it was connected. */
  readonly #heard = new Map<number, Introduction>();
  /** Whom this life is bound to, and the name of that; noted on the disk. */
  #confirmed: { readonly founders: readonly Member[]; readonly digest: string } | undefined;
  /** Others who were heard of since this node has started, and had not begun then. */
  readonly #met = new Set<number>();
  /** Others who are bound to it, too: for good, whatever becomes of them. */
  readonly #confirmedBy = new Set<number>();
  /** Others who cannot be bound to it, and why, as of when they were heard last. */
  readonly #conflicts = new Map<number, string>();
  #told = "";
  #isOver = false;
  #cancelRepeat: () => void = () => undefined;

  constructor(init: FoundingInit) {
    const { identity, transport, groupId, addresses } = init;
    this.#init = init;
    this.#link = transport.attach(groupId, this);
    try {
      this.#link.setPeers(addresses);
    } catch (error) {
      this.stop();
      throw error;
    }
    this.#repeatLater();
    const noted = foundingOf(identity, groupId);
    if (noted !== undefined) this.#maybeConfirm(noted.founders, "this node's directory");
    this.#look();
  }

  /** It has a result, or will have none. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends it without a result. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelRepeat();
    this.#link.detach();
  }

  onPeerUp({ nodeId }: PeerIdentity): void {
    if (!this.#isOver) this.#introduce(nodeId, true);
  }

  onFrame({ nodeId }: PeerIdentity, payload: Uint8Array): void {
    const { digest, envelope } = decodeFounded(payload);
    // A group that has begun may already send this node what comes next: it comes again.
    if (this.#isOver || envelope?.kind !== "introduction") return;
    if (envelope.isQuestion) this.#introduce(nodeId, false);
    if (!envelope.isFounding) this.#maybeMeetGroup(envelope, digest);
    else if (this.#others().includes(nodeId)) {
      this.#heard.set(nodeId, envelope);
      this.#met.add(nodeId);
      this.#look();
    }
  }

  /** By the time it is back it may be in another life. */
  onPeerDown(nodeId: number): void {
    this.#heard.delete(nodeId);
  }

  onPeerGone(): void {
    // It is dialed again by itself.
  }

  #others(): number[] {
    const { addresses, identity } = this.#init;
    return [...addresses.keys()].filter((id) => id !== identity.nodeId);
  }

  #introduce(to: number, isQuestion: boolean): void {
    const { identity, addresses } = this.#init;
    const founders = this.#confirmed?.founders;
    const envelope: Introduction = {
      kind: "introduction",
      incarnation: identity.incarnation,
      address: addresses.get(identity.nodeId) ?? "",
      configuration: founders === undefined ? EMPTY_CONFIGURATION : foundingConfiguration(founders),
      isQuestion,
      isFounding: true,
    };
    this.#link.send(to, "control", unfounded(encodeEnvelope(envelope)));
  }

  #repeatLater(): void {
    this.#cancelRepeat = this.#init.environment.after(REPEAT_MS, () => {
      if (this.#isOver) return;
      this.#repeatLater();
      for (const id of this.#others()) this.#introduce(id, true);
    });
  }

  #look(): void {
    if (this.#isOver) return;
    if (this.#confirmed === undefined) this.#maybePropose();
    if (this.#confirmed === undefined) {
      this.#tell(this.#others().filter((id) => !this.#heard.has(id)));
      return;
    }
    const { founders } = this.#confirmed;
    for (const [id, heard] of this.#heard) this.#note(id, heard);
    const waitingFor = this.#others().filter((id) => !this.#confirmedBy.has(id));
    if (waitingFor.length === 0) this.#agree({ kind: "founder", founders });
    else {
      this.#tell(waitingFor);
      this.#maybeRefuse();
    }
  }

  /** Takes over what another founder is bound to, as it accepts nothing else; or is the first. */
  #maybePropose(): void {
    const { nodeId, incarnation } = this.#init.identity;
    for (const [id, { configuration }] of this.#heard)
      if (configuration.voters.length > 0) {
        this.#maybeConfirm(configuration.voters, `node ${id}`);
        return;
      }
    if (this.#others().some((id) => !this.#heard.has(id))) return;
    const lives = [...this.#heard].map(([id, heard]) => ({ id, incarnation: heard.incarnation }));
    const founders = foundingConfiguration([{ id: nodeId, incarnation }, ...lives]).voters;
    this.#maybeConfirm(founders, "this node");
  }

  /** Binds this life to a set, and says so; or refuses, if it cannot be bound to it. */
  #maybeConfirm(founders: readonly Member[], by: string): void {
    const { groupId, fileSystem, directory, addresses, identity } = this.#init;
    const ids = founders.map(({ id }) => id);
    if (ids.length !== addresses.size || !ids.every((id) => addresses.has(id))) {
      const listed = ids.join(", ");
      this.#conflict(`by ${by} the founders are nodes ${listed}, and not those of peers here`);
      return;
    }
    if (lifeOf(founders, identity.nodeId) !== identity.incarnation) {
      this.#conflict(
        `${by} has confirmed node ${identity.nodeId} with another disk than it has now`,
      );
      return;
    }
    const digest = foundingDigest(founders);
    try {
      updateNodeIdentity(fileSystem, directory, (noted) =>
        withFounding(noted, { groupId, digest, founders }),
      );
    } catch (error) {
      this.#refuse(failedWith(error instanceof Error ? error : new Error(String(error))));
      return;
    }
    this.#confirmed = { founders, digest };
    for (const id of this.#others()) this.#introduce(id, false);
  }

  #note(id: number, { incarnation, configuration: { voters } }: Introduction): void {
    const { founders, digest } = required(this.#confirmed, "confirmations are of some set");
    this.#conflicts.delete(id);
    if (lifeOf(founders, id) !== incarnation)
      this.#conflicts.set(id, `node ${id} has another disk than when this node confirmed it`);
    else if (voters.length === 0) return;
    else if (foundingDigest(voters) === digest) this.#confirmedBy.add(id);
    else this.#conflicts.set(id, `node ${id} has confirmed others than this node, or other disks`);
  }

  /**
   * Gives up once some founder cannot confirm what this node is bound to, and each other one was
   * met: one that was not may have begun, and then this node may begin as that one did.
   */
  #maybeRefuse(): void {
    const [why] = this.#conflicts.values();
    if (why !== undefined && this.#met.size === this.#others().length) this.#conflict(why);
  }

  #maybeMeetGroup({ configuration }: Introduction, digest: string | undefined): void {
    if (configuration.voters.length === 0) return;
    const { nodeId, incarnation } = this.#init.identity;
    const member = findMember(configuration, nodeId);
    if (member?.incarnation !== incarnation) {
      const knows = member === undefined ? "does not know this node" : "knows it by another disk";
      this.#refuse(
        new ReplicaError(
          "DISK_LOST",
          `the group has begun already, and ${knows}: its disk was lost, or is the wrong one. ` +
            `Remove node ${nodeId} from the group, empty its directory, open it with ` +
            'ifMissing: "join", and add it again',
        ),
      );
    } else if (this.#confirmed === undefined) this.#agree({ kind: "member", digest });
    else if (this.#confirmed.digest === digest)
      this.#agree({ kind: "founder", founders: this.#confirmed.founders });
    else this.#conflict("a group has begun with other founders than this node has confirmed");
  }

  #tell(waitingFor: readonly number[]): void {
    const text = waitingFor.join();
    if (this.#isOver || this.#told === text) return;
    this.#told = text;
    this.#init.onEvent({ type: "founding", waitingFor });
  }

  #conflict(why: string): void {
    this.#refuse(
      new ReplicaError(
        "FOUNDING_CONFLICT",
        `the founders cannot begin together: ${why}. If none has begun, stop all of them, make ` +
          "their peers the same, empty the directories of all of them, and start over. If the " +
          "group has begun on some, remove from it those nodes that have not, empty their " +
          'directories, open them with ifMissing: "join", and add them again',
      ),
    );
  }

  #refuse(error: ReplicaError): void {
    this.stop();
    this.#init.onRefused(error);
  }

  #agree(result: FoundingResult): void {
    this.stop();
    this.#init.onAgreed(result);
  }
}

function lifeOf(founders: readonly Member[], nodeId: number): number | undefined {
  return founders.find(({ id }) => id === nodeId)?.incarnation;
}
