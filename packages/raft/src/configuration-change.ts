/**
 * A change of membership, as it is proposed and as it stands in the log.
 *
 * Bytes of a configuration entry, all integers unsigned LEB128:
 *
 *     +---------+------------+-------+--------------------------------------+
 *     | form: 1 | transition | count | count x { operation, id, incarnation }|
 *     +---------+------------+-------+--------------------------------------+
 *
 * No bytes at all stand for the empty change with transition `auto`: leave the joint configuration.
 * A leader may append that one whatever its limits say.
 */

import { type Member } from "./configuration.ts";
import { NO_DATA } from "./entry.ts";
import { isCount } from "./ids.ts";

/**
 * `update` changes nothing in the configuration: it is the place for an application that keeps
 * addresses beside members.
 */
export type MemberOperation = "addVoter" | "addLearner" | "remove" | "update";

export interface MemberChange {
  readonly operation: MemberOperation;
  /** The id 0 is nobody's: a change withdrawn in place, which does nothing when it is applied. */
  readonly member: Member;
}

/**
 * How a change takes effect (paper §6, thesis §4.3).
 *
 * `auto`: at once if it holds one change, else through a joint configuration that is left by
 * itself. `implicit`: through a joint configuration that is left by itself. `explicit`: through
 * a joint configuration that stays until an empty change is proposed.
 */
export type Transition = "auto" | "implicit" | "explicit";

export interface ConfigurationChange {
  /** `single`: the short form of one change, applied at once. `set`: any number, atomically. */
  readonly form: "single" | "set";
  readonly transition: Transition;
  /** Empty: leave the joint configuration. */
  readonly changes: readonly MemberChange[];
}

/** Leave the joint configuration. */
export const LEAVE_JOINT: ConfigurationChange = Object.freeze({
  form: "set",
  transition: "auto",
  changes: [],
});

/** Most changes that one proposal may hold. */
export const MEMBER_CHANGE_COUNT_MAX = 64;

const FORMS = ["single", "set"] as const;
const TRANSITIONS = ["auto", "implicit", "explicit"] as const;
const OPERATIONS = ["addVoter", "addLearner", "remove", "update"] as const;

export function isLeaveJoint(change: ConfigurationChange): boolean {
  return change.changes.length === 0;
}

/** Whether the change goes through a joint configuration, and whether that is left by itself. */
export function jointTransition(change: ConfigurationChange): "none" | "autoLeave" | "stay" {
  if (change.transition === "explicit") return "stay";
  if (change.transition === "implicit") return "autoLeave";
  return change.changes.length > 1 ? "autoLeave" : "none";
}

/** The first problem of a change that comes from outside; `undefined` if it is well formed. */
export function changeProblem(change: ConfigurationChange): string | undefined {
  if (!FORMS.includes(change.form)) return `form: ${change.form} is unknown`;
  if (!TRANSITIONS.includes(change.transition))
    return `transition: ${change.transition} is unknown`;
  const count = change.changes.length;
  if (count > MEMBER_CHANGE_COUNT_MAX)
    return `changes: ${count} are more than ${MEMBER_CHANGE_COUNT_MAX}`;
  if (change.form === "single" && count !== 1)
    return `changes: the single form holds exactly 1, not ${count}`;
  if (change.form === "single" && change.transition !== "auto")
    return "transition: the single form takes effect at once, so only auto fits";
  for (const { operation, member } of change.changes) {
    if (!OPERATIONS.includes(operation)) return `operation: ${operation} is unknown`;
    if (!isCount(member.id, 0)) return `id: ${member.id} is not a count`;
    if (!isCount(member.incarnation, 0)) return `incarnation: ${member.incarnation} is not a count`;
  }
  return undefined;
}

/** The bytes of a well-formed change; owned by the caller. */
export function encodeConfigurationChange(change: ConfigurationChange): Uint8Array {
  if (isLeaveJoint(change) && change.transition === "auto") return NO_DATA;
  const bytes: number[] = [];
  bytes.push(FORMS.indexOf(change.form) + 1, TRANSITIONS.indexOf(change.transition));
  writeVarint(bytes, change.changes.length);
  for (const { operation, member } of change.changes) {
    bytes.push(OPERATIONS.indexOf(operation));
    writeVarint(bytes, member.id);
    writeVarint(bytes, member.incarnation);
  }
  return Uint8Array.from(bytes);
}

/**
 * Reads what {@link encodeConfigurationChange} wrote.
 *
 * @returns `undefined` for anything else: these bytes may come from a peer.
 */
export function decodeConfigurationChange(bytes: Uint8Array): ConfigurationChange | undefined {
  if (bytes.byteLength === 0) return LEAVE_JOINT;
  const reader = { bytes, at: 0 };
  const form = FORMS[(readVarint(reader) ?? 0) - 1];
  const transition = TRANSITIONS[readVarint(reader) ?? -1];
  const count = readVarint(reader);
  if (form === undefined || transition === undefined) return undefined;
  if (count === undefined || count > MEMBER_CHANGE_COUNT_MAX) return undefined;
  const changes: MemberChange[] = [];
  for (let i = 0; i < count; i++) {
    const operation = OPERATIONS[readVarint(reader) ?? -1];
    const id = readVarint(reader);
    const incarnation = readVarint(reader);
    if (operation === undefined || id === undefined || incarnation === undefined) return undefined;
    changes.push({ operation, member: { id, incarnation } });
  }
  const change = { form, transition, changes };
  const whole = reader.at === bytes.byteLength && changeProblem(change) === undefined;
  return whole ? change : undefined;
}

function writeVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

function readVarint(reader: { bytes: Uint8Array; at: number }): number | undefined {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = reader.bytes[reader.at];
    if (byte === undefined) return undefined;
    reader.at += 1;
    value += (byte & 0x7f) * scale;
    if (!Number.isSafeInteger(value)) return undefined;
    if (byte < 0x80) return value;
    scale *= 0x80;
    if (scale > Number.MAX_SAFE_INTEGER) return undefined;
  }
}
