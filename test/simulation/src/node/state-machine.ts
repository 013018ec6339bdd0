/**
 * The replicated state machine of the simulation: registers, client sessions, and a running hash of
 * everything ever applied, so that one divergence shows for ever (as in NATS' RCOB test).
 *
 * Each write returns the value that it replaced: a chain that no reordering survives unnoticed.
 */

import { assert } from "@quorumlog/std";
import type { Entry, LogIndex, Term } from "@quorumlog/raft";
import { decodeCommand, readUint32, type WriteCommand, writeUint32 } from "./command.ts";

export interface WriteResult {
  /** Where the write took effect; for a retry, where its first attempt did. */
  readonly index: LogIndex;
  /** What stood there before; 0 for nothing. */
  readonly previous: number;
}

interface Session extends WriteResult {
  readonly serial: number;
}

/** What applying one entry came to. */
export type ApplyEffect =
  | { readonly kind: "none" }
  | {
      readonly kind: "written" | "duplicate";
      readonly command: WriteCommand;
      readonly result: WriteResult;
    }
  /** The session has moved on: its client gave this write up. */
  | { readonly kind: "stale"; readonly command: WriteCommand };

const NOTHING: ApplyEffect = { kind: "none" };
const HEADER_BYTES = 24;

export class StateMachine {
  #appliedIndex: LogIndex = 0;
  #appliedTerm: Term = 0;
  #hashHigh = 0x811c9dc5;
  #hashLow = 0x01000193;
  readonly #values: number[];
  readonly #sessions = new Map<number, Session>();

  constructor(keyCount: number) {
    this.#values = Array.from({ length: keyCount }, () => 0);
  }

  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  get appliedTerm(): Term {
    return this.#appliedTerm;
  }

  /** The hash of everything applied, as one number per lane. */
  get hashHigh(): number {
    return this.#hashHigh;
  }

  get hashLow(): number {
    return this.#hashLow;
  }

  value(key: number): number {
    return this.#values[key] ?? 0;
  }

  /** Total: no entry can make it throw, only a gap can. */
  apply(entry: Entry): ApplyEffect {
    assert(entry.index === this.#appliedIndex + 1, "entries are applied without a gap");
    this.#appliedIndex = entry.index;
    this.#appliedTerm = entry.term;
    this.#mix(entry.index);
    this.#mix(entry.term);
    if (entry.kind === "configuration") {
      for (const byte of entry.data) this.#mix(byte);
      return NOTHING;
    }
    const command = decodeCommand(entry.data);
    if (command === undefined) return NOTHING;
    this.#mix(command.attempt);
    return this.#write(command, entry.index);
  }

  #write(command: WriteCommand, index: LogIndex): ApplyEffect {
    const session = this.#sessions.get(command.client);
    if (session !== undefined && command.serial < session.serial) return { kind: "stale", command };
    if (session?.serial === command.serial) return { kind: "duplicate", command, result: session };
    const previous = this.value(command.key);
    this.#values[command.key] = command.value;
    const result = { serial: command.serial, index, previous };
    this.#sessions.set(command.client, result);
    this.#mix(previous);
    return { kind: "written", command, result };
  }

  /** The state as bytes: the same bytes on every replica at the same index. */
  snapshot(): Uint8Array {
    const clients = [...this.#sessions.keys()].sort((a, b) => a - b);
    const bytes = new Uint8Array(HEADER_BYTES + this.#values.length * 4 + clients.length * 16);
    const header = [
      this.#appliedIndex,
      this.#appliedTerm,
      this.#hashHigh,
      this.#hashLow,
      this.#values.length,
      clients.length,
    ];
    let at = 0;
    const push = (value: number): void => {
      writeUint32(bytes, at, value);
      at += 4;
    };
    header.forEach(push);
    this.#values.forEach(push);
    for (const client of clients) {
      const session = this.#sessions.get(client) as Session;
      [client, session.serial, session.index, session.previous].forEach(push);
    }
    return bytes;
  }

  /** Takes over a state that {@link snapshot} wrote. */
  restore(bytes: Uint8Array): void {
    assert(bytes.byteLength >= HEADER_BYTES, "a snapshot has a header");
    let at = 0;
    const next = (): number => {
      at += 4;
      return readUint32(bytes, at - 4);
    };
    this.#appliedIndex = next();
    this.#appliedTerm = next();
    this.#hashHigh = next() | 0;
    this.#hashLow = next() | 0;
    const keyCount = next();
    const sessionCount = next();
    assert(keyCount === this.#values.length, "replicas agree on the registers");
    for (let key = 0; key < keyCount; key++) this.#values[key] = next();
    this.#sessions.clear();
    for (let i = 0; i < sessionCount; i++) {
      const client = next();
      this.#sessions.set(client, { serial: next(), index: next(), previous: next() });
    }
  }

  /** A machine at the start of the log, as every member of a new group has it. */
  static bootstrap(keyCount: number, index: LogIndex, term: Term): StateMachine {
    const machine = new StateMachine(keyCount);
    machine.#appliedIndex = index;
    machine.#appliedTerm = term;
    return machine;
  }

  #mix(value: number): void {
    this.#hashHigh = Math.imul(this.#hashHigh ^ value, 0x01000193);
    this.#hashLow = Math.imul(this.#hashLow ^ (this.#hashHigh >>> 15) ^ value, 0x85ebca6b);
  }
}
