/**
 * Whom a replica keeps connections with, and what is known of them: where they are, which life of
 * their disk they are in, and how that disk is.
 */

import { allMembers, type Configuration, findMember, type Member } from "@quorumlog/raft";
import { AddressError, type GroupLink, parseAddress } from "@quorumlog/transport";
import type { HealthReport } from "./node-health.ts";
import { type Envelope, encodeEnvelope } from "./peer-envelope.ts";

export interface PeerDirectoryInit {
  readonly nodeId: number;
  readonly incarnation: number;
  /** As the owner of this node knows them. */
  readonly addresses: ReadonlyMap<number, string>;
  readonly link: GroupLink;
  /** Milliseconds since 1970, to be told to others. */
  readonly wallTime: () => number;
}

interface LifeReport {
  readonly incarnation: number;
  readonly report: HealthReport;
}

type Introduction = Extract<Envelope, { readonly kind: "introduction" }>;

export class PeerDirectory {
  readonly #init: PeerDirectoryInit;
  /** Where a node is said to be that is to be added. */
  readonly #sought = new Map<number, string>();
  /** Where nodes say that they are: better than nothing. */
  readonly #told = new Map<number, string>();
  readonly #incarnations = new Map<number, number>();
  /** As they came, each with the life that had introduced itself before. */
  readonly #reports = new Map<number, LifeReport>();
  /** Of members, since any of that has changed. */
  #memberReports: ReadonlyMap<number, HealthReport> | undefined;
  /** What was said last of this node. */
  #own: HealthReport | undefined;
  #current: ReadonlyMap<number, string> = new Map();
  #configuration: Configuration;
  /** As the log had them when it was last asked. */
  #logged: ReadonlyMap<number, string> | undefined;

  constructor(init: PeerDirectoryInit, configuration: Configuration) {
    this.#init = init;
    this.#configuration = configuration;
  }

  /**
   * Of the other members, since they are connected: of the very life of its disk that is a member,
   * and not of one before or after it.
   */
  get healthReports(): ReadonlyMap<number, HealthReport> {
    this.#memberReports ??= new Map(
      [...this.#reports].flatMap(([nodeId, { incarnation, report }]) => {
        const member = findMember(this.#configuration, nodeId);
        return member?.incarnation === incarnation ? [[nodeId, report]] : [];
      }),
    );
    return this.#memberReports;
  }

  /** Which life of its disk a node is in that is up, and has introduced itself since. */
  incarnationOf(nodeId: number): number | undefined {
    return this.#init.link.isUp(nodeId) ? this.#incarnations.get(nodeId) : undefined;
  }

  /** The group's log says who is in it, and where they are: after each turn that has applied. */
  onState(configuration: Configuration, addresses: ReadonlyMap<number, string>): void {
    const isSame = configuration === this.#configuration;
    if (isSame && this.#logged !== undefined && isSameMap(this.#logged, addresses)) return;
    if (!isSame) {
      const members = allMembers(configuration);
      for (const former of allMembers(this.#configuration))
        if (!members.some((member) => isSameMember(member, former)))
          this.#forget(former, findMember(configuration, former.id) !== undefined);
      this.#memberReports = undefined;
    }
    this.#configuration = configuration;
    this.#logged = new Map(addresses);
    this.#update();
  }

  /** Looks for a node that is to become a member. */
  seek(nodeId: number, address: string): void {
    this.#sought.set(nodeId, address);
    this.#update();
  }

  /** Says who this node is: the other may not know where it is, or that its disk is a new one. */
  introduce(to: number, isQuestion: boolean): void {
    const { incarnation, addresses, nodeId, link } = this.#init;
    const address = addresses.get(nodeId) ?? "";
    const configuration = this.#configuration;
    const envelope = { kind: "introduction", incarnation, address, configuration } as const;
    link.send(to, "control", encodeEnvelope({ ...envelope, isQuestion, isFounding: false }));
  }

  /** Whoever introduced itself before may have been a former life of it. */
  onPeerUp(nodeId: number): void {
    this.#incarnations.delete(nodeId);
    this.introduce(nodeId, true);
    if (this.#own !== undefined) this.#sendHealth(nodeId, this.#own);
  }

  onIntroduction(from: number, { incarnation, address, isQuestion }: Introduction): void {
    this.#incarnations.set(from, incarnation);
    if (address !== "") {
      this.#told.set(from, address);
      this.#update();
    }
    if (isQuestion) this.introduce(from, false);
  }

  /** Of a node that has not said who it is, nothing is taken: it does so, and reports again. */
  onHealth(from: number, report: HealthReport): void {
    const incarnation = this.#incarnations.get(from);
    if (incarnation === undefined) return;
    this.#reports.set(from, { incarnation, report });
    this.#memberReports = undefined;
  }

  /** Says to the others how this node's disk is; and who it is, to those that have not answered. */
  tellHealth(report: HealthReport): void {
    const { link } = this.#init;
    this.#own = report;
    for (const nodeId of this.#current.keys()) {
      if (!link.isUp(nodeId)) continue;
      // An introduction may be lost, or forgotten by one who catches up with a removal from before.
      const isUnknown = !this.#incarnations.has(nodeId);
      if (isUnknown || this.#isMember(nodeId)) this.introduce(nodeId, isUnknown);
      this.#sendHealth(nodeId, report);
    }
  }

  #sendHealth(to: number, report: HealthReport): void {
    const { link, wallTime } = this.#init;
    const time = Math.max(0, Math.round(wallTime()));
    link.send(to, "control", encodeEnvelope({ kind: "health", report, wallTime: time }));
  }

  /** It was removed; the next life of its disk may have said meanwhile that it is there. */
  #forget({ id: nodeId, incarnation }: Member, isReplaced: boolean): void {
    const current = this.#incarnations.get(nodeId);
    if (current !== undefined && current !== incarnation) return;
    this.onPeerDown(nodeId);
    // Its next life is most likely where it was itself, until it says something else.
    if (isReplaced) return;
    this.#told.delete(nodeId);
    this.#sought.delete(nodeId);
  }

  /** What was known of it may be another process's by the time it is back. */
  onPeerDown(nodeId: number): void {
    this.#incarnations.delete(nodeId);
    this.#reports.delete(nodeId);
    this.#memberReports = undefined;
  }

  /** A node that is no member needs everybody it has heard of; a member, the other members. */
  #update(): void {
    const { nodeId, addresses, link } = this.#init;
    const isJoining = findMember(this.#configuration, nodeId) === undefined;
    const known = new Map([...this.#told, ...addresses, ...(this.#logged ?? []), ...this.#sought]);
    const peers = new Map(
      [...known].filter(([id, address]) => {
        const isHeard = this.#told.has(id) || this.#sought.has(id);
        return (isJoining || isHeard || this.#isMember(id)) && isAddress(address);
      }),
    );
    if (isSameMap(this.#current, peers)) return;
    this.#current = peers;
    link.setPeers(peers);
  }

  #isMember(nodeId: number): boolean {
    return findMember(this.#configuration, nodeId) !== undefined;
  }
}

/** What a peer says, or the log, may be nonsense; that is no reason to stop. */
export function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch (error) {
    if (error instanceof AddressError) return false;
    throw error;
  }
}

function isSameMember(left: Member, right: Member): boolean {
  return left.id === right.id && left.incarnation === right.incarnation;
}

function isSameMap(left: ReadonlyMap<number, string>, right: ReadonlyMap<number, string>): boolean {
  if (left.size !== right.size) return false;
  for (const [key, value] of right) if (left.get(key) !== value) return false;
  return true;
}
