/** What a node has, as digests: nodes that have applied as much have the same ones. */

import type { LogRecord, Machine, ReplicatedLog, ReplicatedStateMachine } from "@quorumlog/replica";
import { createHash } from "node:crypto";

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
}

type AuditedMachine = Pick<Machine, "snapshot">;

const STRETCH_BYTES = 1024 * 1024;

/**
 * @param machine - `undefined`: the log is all there is.
 * @param keepsLog - Whether it can be read.
 */
export async function auditState(
  group: ReplicatedLog | ReplicatedStateMachine,
  machine: AuditedMachine | undefined,
  keepsLog: boolean,
): Promise<StateAudit> {
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
  };
}

function digestState(machine: AuditedMachine): { digest: string; bytes: number } {
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
