/** What a node has, as digests: nodes that have applied as much have the same ones. */

import type { LogRecord, Machine, ReplicatedLog, ReplicatedStateMachine } from "@quorumlog/replica";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface StateAudit {
  readonly appliedIndex: number;
  /** SHA-256 of the state machine's snapshot; empty if there is none. */
  readonly state: string;
  readonly stateBytes: number;
  /** Of the log: what can be read, `[firstOffset, nextOffset)`. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** SHA-256 of the offsets, times and bytes of those records; empty if no log is kept. */
  readonly log: string;
  /** SHA-256 of each snapshot's file, by its name, which says of which index it is. */
  readonly snapshots: Readonly<Record<string, string>>;
}

export interface AuditedParts {
  readonly group: ReplicatedLog | ReplicatedStateMachine;
  /** `undefined`: the log is all there is. */
  readonly machine: Pick<Machine, "snapshot"> | undefined;
  /** Whether the log can be read. */
  readonly keepsLog: boolean;
  /** Where snapshots are. */
  readonly snapshots: string;
}

const STRETCH_BYTES = 1024 * 1024;

/** Of snapshots that are whole. */
export function snapshotNames(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith(".snapshot"));
}

/** @throws Error if the log has a hole. */
export async function auditState(parts: AuditedParts): Promise<StateAudit> {
  const { group, machine, keepsLog } = parts;
  // Both in one turn: nothing is applied between them.
  const { appliedIndex, firstOffset, nextOffset } = group.status();
  const state = machine === undefined ? { digest: "", bytes: 0 } : digestState(machine);
  const log = keepsLog ? await digestLog(group, firstOffset, nextOffset) : "";
  return {
    appliedIndex,
    state: state.digest,
    stateBytes: state.bytes,
    firstOffset,
    nextOffset,
    log,
    snapshots: digestSnapshots(parts.snapshots),
  };
}

function digestSnapshots(directory: string): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const name of snapshotNames(directory)) {
    const bytes = readFileSync(join(directory, name));
    digests[name] = createHash("sha256").update(bytes).digest("hex");
  }
  return digests;
}

function digestState(machine: Pick<Machine, "snapshot">): { digest: string; bytes: number } {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const chunk of machine.snapshot()) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { digest: hash.digest("hex"), bytes };
}

/** @throws Error if an offset is missing, or comes twice. */
async function digestLog(
  group: ReplicatedLog | ReplicatedStateMachine,
  firstOffset: number,
  nextOffset: number,
): Promise<string> {
  const hash = createHash("sha256");
  for (let expected = firstOffset; expected < nextOffset;) {
    const { records } = group.read(expected, { maxBytes: STRETCH_BYTES });
    if (records.length === 0) throw new Error(`nothing is read at offset ${expected}`);
    for (const record of records) {
      if (record.offset !== expected)
        throw new Error(`offset ${record.offset} is read in place of ${expected}`);
      if (expected === nextOffset) break;
      hash.update(headOf(record)).update(record.data);
      expected += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return hash.digest("hex");
}

function headOf({ offset, data, timestamp }: LogRecord): string {
  return `${offset} ${timestamp} ${data.byteLength}\n`;
}
