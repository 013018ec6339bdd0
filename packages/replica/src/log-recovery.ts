/**
 * Repairs a log that does not open, before there is a replica on it: entries that this node has
 * lost come from its peers, and the log then is what it was.
 *
 *     damaged log ──> ask peers ──> segments made anew ──> the replica opens as ever
 *
 * Until then this node takes no part in consensus: it does not vote, lead or acknowledge, and
 * passes over what is said to it about that. It gives what is sound of its log to others in the
 * same state, so that nodes that are damaged in different places repair each other.
 */

import { type DamagedLog, LogError } from "@quorumlog/log";
import type { GroupLink, GroupReceiver, PeerIdentity, Transport } from "@quorumlog/transport";
import { EntryFetcher } from "./entry-fetcher.ts";
import { EntryServer } from "./entry-server.ts";
import type { Environment } from "./environment.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope, laneOf } from "./peer-envelope.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import { Timers } from "./timers.ts";

export interface LogRecoveryInit {
  readonly damaged: Omit<DamagedLog, "files">;
  readonly groupId: number;
  readonly nodeId: number;
  /** Where each node is, by its id. */
  readonly addresses: ReadonlyMap<number, string>;
  readonly transport: Transport;
  readonly environment: Environment;
  readonly onEvent: ReplicaEventListener;
  /** Called once, later, with why it has failed; the log was let go of, and can be opened. */
  readonly onDone: (error: Error | undefined) => void;
}

export class LogRecovery implements GroupReceiver {
  readonly #init: LogRecoveryInit;
  readonly #link: GroupLink;
  readonly #server: EntryServer;
  readonly #fetcher: EntryFetcher;
  readonly #timers: Timers;
  /** Those that were connected; not all of them need be known by an address. */
  readonly #met = new Set<number>();
  #isOver = false;

  constructor(init: LogRecoveryInit) {
    const { damaged, environment, transport, groupId, addresses, onEvent } = init;
    this.#init = init;
    this.#timers = new Timers(environment);
    this.#server = new EntryServer(damaged);
    this.#fetcher = new EntryFetcher({
      peers: () => this.#peers(),
      send: (to, request) => this.#send(to, { kind: "entriesRequest", ...request }),
      now: () => environment.now(),
      after: (delayMs, run) => {
        this.#timers.after(delayMs, () => {
          this.#guarded(run);
        });
      },
      firstNumber: environment.wallTime(),
      onVain: (range, refusals) => {
        onEvent({ type: "logRepairWaiting", ...range, refusals });
      },
    });
    this.#link = transport.attach(groupId, this);
    try {
      this.#link.setPeers(addresses);
    } catch (error) {
      this.#close();
      throw error;
    }
    onEvent({ type: "logDamaged", error: damaged.error });
    this.#guarded(() => {
      damaged.repair({
        fetch: this.#fetcher.fetch,
        onRepaired: ({ file, fetchedCount }) => {
          onEvent({ type: "logRepaired", file, fetchedCount });
        },
        onDone: (error) => {
          this.#end(error);
        },
      });
    });
  }

  /** Calls it off; `onDone` is told, later. Idempotent. */
  stop(): void {
    if (this.#isOver) return;
    this.#init.damaged.close();
    this.#fetcher.stop();
  }

  onFrame({ nodeId }: PeerIdentity, payload: Uint8Array): void {
    if (this.#isOver) return;
    const envelope = decodeEnvelope(payload);
    if (envelope === undefined) this.#init.onEvent({ type: "malformedFrame", from: nodeId });
    else this.#guarded(() => this.#receive(nodeId, envelope));
  }

  onPeerUp({ nodeId }: PeerIdentity): void {
    if (this.#isOver) return;
    this.#met.add(nodeId);
    this.#guarded(() => this.#fetcher.onPeerUp(nodeId));
  }

  onPeerDown(): void {
    // A question that is under way runs out of time.
  }

  onPeerGone(): void {
    // It is dialed again by itself.
  }

  #receive(from: number, envelope: Envelope): void {
    // Nothing else: who is not sure of its log must not take part in consensus.
    if (envelope.kind === "entriesReply") this.#fetcher.onReply(from, envelope);
    else if (envelope.kind === "entriesRequest")
      this.#send(from, { kind: "entriesReply", ...this.#server.answer(envelope) });
  }

  #peers(): readonly number[] {
    const { addresses, nodeId } = this.#init;
    return [...new Set([...addresses.keys(), ...this.#met])].filter((id) => id !== nodeId);
  }

  #send(to: number, envelope: Envelope): boolean {
    return this.#link.isUp(to) && this.#link.send(to, laneOf(envelope), encodeEnvelope(envelope));
  }

  /** Whatever is thrown in here is a broken invariant, or the disk's. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#close();
    const { environment, onDone, damaged } = this.#init;
    environment.soon(() => {
      onDone(error === undefined ? undefined : explained(damaged.error, error));
    });
  }

  #close(): void {
    this.#isOver = true;
    this.#timers.stop();
    this.#link.detach();
    this.#init.damaged.close();
  }
}

/** The damage, and why it is still there. */
function explained(damage: LogError, error: Error): Error {
  const cause = error instanceof LogError && error.cause instanceof Error ? error.cause : error;
  const why = error instanceof LogError && error.code === "LOG_CLOSED" ? error : cause;
  return LogError.extending(
    damage,
    `It was not repaired from peers: ${why.message}. Keep a copy of the directory; ` +
      "if no node has what is lacking, replace this one",
  );
}
