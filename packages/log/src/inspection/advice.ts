/** What an operator should do about each error of a log; `docs/operations.md` has it at length. */

import type { LogErrorCode } from "../log-error.ts";

const REPLACE =
  "Otherwise replace the member: remove it from the group, start it on an empty directory with a " +
  "higher incarnation, and add it again; the others bring it up to date.";

const KEEP = "Keep a copy of the directory, and edit or delete nothing in it.";

const RECOVER =
  "Open the node with recoverFromPeers: true (a broker always is), and the others give what is " +
  "lacking.";

const CHECK_DISK = "Ask the disk how it is (smartctl, the kernel's log).";
const COPY = "restore the file from a copy of this node, stopped, of this very state.";

const NOT_HERE = "Looking at a log does not lead to this: please report it.";

/** One row per code; a missing row does not compile. */
const ADVICE: Readonly<Record<LogErrorCode, string>> = {
  LOG_LOCKED: "Stop the node first, or look at a copy that was made while it was stopped.",
  LOG_MISSING:
    "Is it the right directory, and is its disk mounted? A log has files such as " +
    "0000000000000001.log. If it was here, it is lost: make no empty one in its place under the " +
    `same incarnation, as what the node promised is gone. ${REPLACE}`,
  LOG_EXISTS: NOT_HERE,
  LOG_FOREIGN:
    "Files of two logs are mixed, as by a copy or a backup that was put in the wrong place: put " +
    `back those that belong here. ${REPLACE}`,
  LOG_VERSION: "Use the quorumlog-log of the version that wrote the log, or a later one.",
  LOG_SEGMENT_MISSING: `Put the file back, if it was moved. ${KEEP} ${RECOVER} ${REPLACE}`,
  LOG_CORRUPT: `${CHECK_DISK} ${KEEP} ${RECOVER} Or ${COPY} ${REPLACE}`,
  LOG_FAILED:
    "The cause is the system's: permissions (use the account of the node), or a disk that fails " +
    "(the kernel's log tells).",
  LOG_CLOSED: NOT_HERE,
  LOG_TOO_LARGE: NOT_HERE,
};

/** The others cannot give what is lacking: what this node has promised is in no other log. */
export function adviceWithoutRepair(): string {
  return (
    `${CHECK_DISK} ${KEEP} The others cannot mend this: recoverFromPeers does not help. Replace ` +
    "the member, one at a time, while most of the others are up: remove it from the group, start " +
    "it on an empty directory with a higher incarnation, and add it again; of a broker, start a " +
    "node of a new id with --if-missing join, and on the group " +
    "`quorumlog cluster replace --former ID --node-id NEW --peer-address HOST:PORT`. " +
    `Or ${COPY}`
  );
}

export function adviceFor(code: LogErrorCode): string {
  return ADVICE[code];
}
