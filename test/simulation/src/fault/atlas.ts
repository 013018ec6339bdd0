/**
 * Which disks may still be lost: at any time some quorum must be left that can go on for ever.
 *
 * Safety never rests on this, as a lost disk does not vote. Liveness does: a majority of lost disks
 * is a lost group, and nothing could be learned from that.
 */

import {
  type Configuration,
  decodeConfigurationChange,
  type LogIndex,
  type Member,
} from "@quorumlog/raft";
import { leftConfiguration, nextConfiguration } from "../check/configuration-model.ts";
import { majority } from "../check/member-directory.ts";
import type { DiskImage } from "../engine/disk.ts";
import type { LogView } from "../engine/log-view.ts";
import type { Cluster } from "../run/cluster.ts";
import type { Host } from "../run/host.ts";

export class FaultAtlas {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Whether `member` is there, on the disk that it joined with, and may vote. */
  isHealthy(member: Member): boolean {
    return this.hasItsDisk(member) && !this.#cluster.host(member.id).isSuspect;
  }

  /** Whether `member` is there, on the disk that it joined with. */
  hasItsDisk(member: Member): boolean {
    const host = this.#cluster.host(member.id);
    return host.isIntact && host.state !== "spare" && host.incarnation === member.incarnation;
  }

  /**
   * Whether `member` knows that it is no voter any more. It never campaigns then, but may refuse
   * its vote to others who still need it, if its log is the longest: a wedge that Raft does not
   * exclude where changes take effect when they are applied. So nobody may have to rely on it.
   */
  hasLeft(member: Member): boolean {
    const { node, disk } = this.#cluster.host(member.id);
    const known = node?.lastStatus.appliedIndex ?? knownIndex(disk.durable);
    return this.#cluster.ledger.hasLeft(member, known);
  }

  /** Whether the group could go on without `lost`. */
  survivesWithout(lost: Host | undefined): boolean {
    const isLeft = (member: Member): boolean =>
      member.id !== lost?.id && this.isHealthy(member) && !this.hasLeft(member);
    return this.requiredConfigurations().every((configuration) => hasQuorum(configuration, isLeft));
  }

  /**
   * The configurations that a surviving core must have a quorum of: what is in force; what may yet
   * come into force out of some log; and what nodes that may be elected still believe to be in
   * force, since after a restart they know only what their disks say is committed.
   */
  requiredConfigurations(): Configuration[] {
    const { ledger } = this.#cluster;
    const known = this.#leastKnowledge();
    const required = [...ledger.configurationsFrom(known)];
    for (const host of this.#cluster.hosts) required.push(...this.#pendingIn(host));
    return required.flatMap((configuration) => [configuration, leftConfiguration(configuration)]);
  }

  /** Configurations that are in a log and not committed. */
  pending(): Configuration[] {
    return this.#cluster.hosts.flatMap((host) => this.#pendingIn(host));
  }

  #leastKnowledge(): LogIndex {
    const { ledger, hosts } = this.#cluster;
    const committed = { index: ledger.committedIndex, term: ledger.committedTerm };
    let least = ledger.committedIndex;
    for (const host of hosts) {
      const { durable } = host.disk;
      const isElectable = host.isIntact && durable.log.lastIndex >= committed.index;
      if (!isElectable || !durable.log.covers(committed)) continue;
      least = Math.min(least, knownIndex(durable));
    }
    return Math.max(least, ledger.baseIndex);
  }

  #pendingIn(host: Host): Configuration[] {
    const { ledger } = this.#cluster;
    if (!host.isIntact || host.state === "spare") return [];
    const log: LogView = host.node?.issued ?? host.disk.read().log;
    const from = ledger.committedIndex;
    if (log.lastIndex <= from || log.term(from) !== ledger.committedTerm) return [];
    const found: Configuration[] = [];
    let configuration = ledger.configuration;
    for (let index = from + 1; index <= log.lastIndex; index++) {
      const entry = log.entry(index);
      if (entry?.kind !== "configuration") continue;
      const change = decodeConfigurationChange(entry.data);
      const next = change === undefined ? undefined : nextConfiguration(configuration, change);
      if (next === undefined) continue;
      configuration = next;
      found.push(next);
    }
    return found;
  }
}

/** What a node that starts on this disk knows to be committed. */
function knownIndex(durable: DiskImage): LogIndex {
  const applied = durable.newestState()?.lastIncludedIndex ?? 0;
  return Math.max(Math.min(durable.hardState.commitIndex, durable.log.lastIndex), applied);
}

/** Whether `isLeft` holds of a majority of each half. */
export function hasQuorum(
  configuration: Configuration,
  isLeft: (member: Member) => boolean,
): boolean {
  const { voters, votersOutgoing } = configuration;
  return majority(voters, isLeft) && majority(votersOutgoing, isLeft);
}
