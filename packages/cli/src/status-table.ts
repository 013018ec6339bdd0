/** How nodes are, a row each, for people. */

import type { NodeStatus } from "@quorumlog/protocol/messages";
import type { NodeLook } from "./cluster-look.ts";
import { tableOf } from "./table.ts";

const HEADS: readonly string[] = [
  "group",
  "node",
  "role",
  "term",
  "last",
  "synced",
  "committed",
  "applied",
  "lag",
  "disk",
];

/** What is known of nodes from watching them, by their ids. */
export interface Watched {
  /** Messages per second. */
  readonly rates: ReadonlyMap<number, number>;
  /** Of those that run as children of this one. */
  readonly pids: ReadonlyMap<number, number>;
}

/** Without what was watched, messages are those since the node was started. */
export function statusTable(looks: readonly NodeLook[], watched?: Watched): string {
  const counted = watched === undefined ? ["messages"] : ["messages/s", "pid"];
  const heads = [...HEADS, ...counted, "address"];
  const rows = looks.map((look) => {
    const { group, nodeId, address, status, lag } = look;
    if (status === undefined) {
      const unknown = [...HEADS.slice(3), ...counted].map(() => "-");
      return [group, nodeId, "down", ...unknown, address === "" ? "-" : address];
    }
    const { term, lastIndex, syncedIndex, commitIndex, appliedIndex, messagesApplied } = status;
    const indexes = [term, lastIndex, syncedIndex, commitIndex, appliedIndex, lag];
    const counts =
      watched === undefined
        ? [messagesApplied]
        : [Math.round(watched.rates.get(nodeId) ?? 0), watched.pids.get(nodeId) ?? "-"];
    return [group, nodeId, roleOf(look), ...indexes, diskText(status), ...counts, address];
  });
  return tableOf(heads, rows);
}

/** Of groups whose nodes know other rules than are in force: a line each, for people. */
export function rulesLines(looks: readonly NodeLook[]): readonly string[] {
  return [...new Set(looks.map(({ group }) => group))].flatMap((group) => {
    const told = looks.flatMap(({ nodeId, status, ...look }) =>
      look.group === group && status !== undefined ? [{ nodeId, status }] : [],
    );
    const inForce = Math.max(0, ...told.map(({ status }) => status.rulesVersion));
    if (told.every(({ status }) => status.knownRulesVersion === inForce)) return [];
    const known = told.map(({ nodeId, status }) => `node ${nodeId} ${status.knownRulesVersion}`);
    return [`${group}: rules ${inForce} are in force; known: ${known.join(", ")}`];
  });
}

/** How much of it is used, as `df` says; `FULL`: publishes are refused. */
export function diskText({ diskFreeBytes, diskTotalBytes, isDiskFull }: NodeStatus): string {
  if (diskTotalBytes === 0) return isDiskFull ? "FULL" : "-";
  const percent = Math.round(100 * (1 - diskFreeBytes / diskTotalBytes));
  return isDiskFull ? `${percent}% FULL` : `${percent}%`;
}

/** As Raft calls it; a learner follows, and does not count. */
export function roleOf({ status, membership }: NodeLook): string {
  if (status === undefined) return "down";
  return membership === "learner" ? "learner" : status.role;
}

/** Of a status, what programs read, with names that stay. */
export function statusObject({ status, ...look }: NodeLook): object {
  const { group, groupId, nodeId, address, membership, lag } = look;
  const place = { group, groupId, nodeId, address, membership };
  if (status === undefined) return { ...place, role: "down" };
  const { role, term, lastIndex, syncedIndex, commitIndex, appliedIndex, firstIndex } = status;
  const indexes = { lastIndex, syncedIndex, commitIndex, appliedIndex, firstIndex };
  const { messagesApplied, bytesApplied, logBytes, diskLagMs, metadataVersion } = status;
  const counts = { messagesApplied, bytesApplied, logBytes, diskLagMs, metadataVersion };
  const { diskFreeBytes, diskTotalBytes, isDiskFull } = status;
  const disk = { diskFreeBytes, diskTotalBytes, isDiskFull };
  const { rulesVersion, knownRulesVersion } = status;
  const rules = { rulesVersion, knownRulesVersion };
  return { ...place, role, term, ...indexes, lag, ...counts, ...disk, ...rules };
}
