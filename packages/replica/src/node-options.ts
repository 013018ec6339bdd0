/** How an application says who and where a node is; and opening what that takes. */

import { type FileSystem, nodeFileSystem } from "@quorumlog/log";
import {
  openTcpTransport,
  parseTransportOptions,
  type Transport,
  type TransportTls,
} from "@quorumlog/transport";
import type { Checkpoint } from "./checkpoint.ts";
import { type Environment, nodeEnvironment } from "./environment.ts";
import { guardedListener } from "./event-listener.ts";
import { type Flush, parseFlush } from "./flush-mode.ts";
import { FoundingAgreement, type FoundingResult } from "./founding-agreement.ts";
import type { Machine } from "./machine.ts";
import type { NodeIdentity } from "./node-directory.ts";
import { demandNodeOptions } from "./node-option-problems.ts";
import { type GroupInit, type IfMissing, openNode, recoverGroup } from "./open-group.ts";
import { demandNotAborted, ReplicaError } from "./replica-error.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import { parseTuning, type ReplicaTuning } from "./replica-options.ts";
import { transportEvents } from "./transport-events.ts";

export interface NodeOptions {
  /** Belongs to this node alone. */
  readonly directory: string;
  /** The same on all nodes, and on those of no other cluster. 1 to 256 bytes. */
  readonly clusterId: string;
  /** Above 0, and no other node's. */
  readonly nodeId: number;
  /** Keeps the groups of a process apart; default 0. */
  readonly groupId?: number;
  /** What to do where there is nothing yet; default `fail`. See {@link IfMissing}. */
  readonly ifMissing?: IfMissing;
  /** Where each node is reached, by its id, as `host:port`; this one's, too. */
  readonly peers: Readonly<Record<number, string>>;
  /** Where to listen; default this node's own address. */
  readonly listen?: string;
  /** A secret of the cluster, of 16 bytes or more; needed unless there is `tls`. */
  readonly token?: string | Uint8Array;
  readonly tls?: TransportTls;
  /** Shared by the groups of a process, in place of `listen`, `token` and `tls`. */
  readonly transport?: Transport;
  /**
   * Who should lead, best first: leadership returns to the first one that is up to date and well.
   * The same on all nodes; default nobody.
   */
  readonly preferredLeaders?: readonly number[];
  /**
   * Whether `readBarrier` on a leader rests on its lease, in place of asking a majority each time.
   * Then no clock may run faster than another one by more than 10 ms in each `electionMs`, which
   * nothing checks; and the loss of a leader's process is noticed later. The same on all nodes;
   * default false.
   */
  readonly leaseReads?: boolean;
  /**
   * Whether entries are synced before they are acknowledged, or soon after: see {@link Flush}. The
   * same on all nodes; default `sync`.
   */
  readonly flush?: Flush;
  /**
   * Accepts that what a crash of the host may have cost this node is lost: it votes and counts
   * without it. Only for when a majority of the voters is suspect and nobody is elected; not to be
   * left in place. Default false.
   */
  readonly acceptLoss?: boolean;
  /**
   * Whether entries that are damaged on this node's disk come from its peers: as it is opened,
   * where it takes no part in the group until they have come, and while it runs. Without it a
   * damaged log does not open, and a node stops that meets damage in what it has to read. Damage
   * of what was written last is never repaired: replace the node. Default false.
   */
  readonly recoverFromPeers?: boolean;
  /** Limits and times; see {@link ReplicaTuning} for their defaults. */
  readonly tuning?: Partial<ReplicaTuning>;
  /** Some events come while the node is opened, before there is anything to ask about them. */
  readonly onEvent?: ReplicaEventListener;
  /**
   * Keeps the state between snapshots, so that a restart has less to apply: of this node alone, and
   * as its process likes. Default none. See `LmdbTables` of `@quorumlog/tables`.
   */
  readonly checkpoint?: Checkpoint;
  /** Gives up opening, while founders wait for each other, or a damaged log for its peers. */
  readonly signal?: AbortSignal;
  readonly fileSystem?: FileSystem;
  readonly environment?: Environment;
}

/** What opening a node has opened. */
export interface NodeParts {
  readonly init: Omit<GroupInit, "onTurn">;
  /** Closes what was opened for this node alone. */
  readonly close: (() => Promise<void>) | undefined;
}

/** @throws ReplicaOptionsError, ReplicaError, TransportError */
export async function openNodeParts(
  options: NodeOptions,
  machine: Machine | undefined,
): Promise<NodeParts> {
  demandNodeOptions(options, machine === undefined ? "log" : "machine");
  const { directory, clusterId, nodeId, groupId = 0, ifMissing = "fail" } = options;
  const tuning = parseTuning(options.tuning);
  const flush = parseFlush(options.flush);
  const addresses = new Map(
    Object.entries(options.peers).map(([id, address]) => [Number(id), address]),
  );
  const environment = options.environment ?? nodeEnvironment;
  const onEvent = guardedListener(options.onEvent ?? (() => undefined), () => environment.now());
  const fileSystem = options.fileSystem === undefined ? {} : { fileSystem: options.fileSystem };
  const place = {
    directory,
    clusterId,
    nodeId,
    groupId,
    ifMissing,
    foundersAgree: true,
    environment,
    ...fileSystem,
  };
  const identity = openNode(place);
  const shared = options.transport;
  const transport = shared ?? (await listen(options, identity, onEvent));
  const close = shared === undefined ? () => closeTransport(transport) : undefined;
  try {
    const founding = await agree(options, { identity, addresses, transport, onEvent });
    const init = {
      ...place,
      identity,
      founding,
      addresses,
      tuning,
      preferredLeaders: options.preferredLeaders ?? [],
      leaseReads: options.leaseReads === true,
      flush,
      acceptLoss: options.acceptLoss === true,
      recoverFromPeers: options.recoverFromPeers === true,
      transport,
      machine,
      checkpoint: options.checkpoint,
      onEvent,
    };
    await recover(init, options.signal);
    return { init, close };
  } catch (error) {
    await close?.();
    throw error;
  }
}

/** Where the log is damaged, and peers are to mend that. */
function recover(init: Omit<GroupInit, "onTurn">, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      recovery?.stop();
    };
    const recovery = recoverGroup(init, (error) => {
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else if (signal?.aborted === true) reject(new ReplicaError("ABORTED", error.message));
      else reject(error);
    });
    if (recovery === undefined) resolve();
    else if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** With the other founders, on a disk that has no log yet. */
function agree(
  options: NodeOptions,
  parts: {
    readonly identity: NodeIdentity;
    readonly addresses: ReadonlyMap<number, string>;
    readonly transport: Transport;
    readonly onEvent: ReplicaEventListener;
  },
): Promise<FoundingResult | undefined> {
  const { groupId = 0, signal } = options;
  const { identity } = parts;
  if (options.ifMissing !== "found" || identity.groupIds.includes(groupId))
    return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    demandNotAborted(signal);
    const onAbort = (): void => {
      agreement.stop();
      reject(new ReplicaError("ABORTED", "the founders had not all met"));
    };
    const agreement = new FoundingAgreement({
      ...parts,
      groupId,
      environment: options.environment ?? nodeEnvironment,
      fileSystem: options.fileSystem ?? nodeFileSystem,
      directory: options.directory,
      onAgreed: (result) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(result);
      },
      onRefused: (error) => {
        signal?.removeEventListener("abort", onAbort);
        reject(error);
      },
    });
    if (!agreement.isOver) signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function listen(
  options: NodeOptions,
  { clusterId, nodeId, incarnation }: { clusterId: string; nodeId: number; incarnation: number },
  onEvent: ReplicaEventListener,
): Promise<Transport> {
  const { tls, token } = options;
  const input = {
    clusterId,
    nodeId,
    incarnation,
    listen: options.listen ?? options.peers[nodeId],
    ...(tls === undefined ? {} : { tls }),
    ...(token === undefined ? {} : { token }),
  };
  const { memory } = options.environment ?? nodeEnvironment;
  const log = transportEvents(onEvent);
  return openTcpTransport({ options: parseTransportOptions(input), log, memory });
}

function closeTransport(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.close(resolve);
  });
}
