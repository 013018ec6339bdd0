/** Every fault there is, by name. */

import type { Fault } from "./fault.ts";
import { CORRUPTION } from "./faults/corruption-fault.ts";
import { DISK_FULL, FAILED_FSYNC, SLOW_FSYNC } from "./faults/disk-faults.ts";
import { LOSSY_LINKS, SLOW_LINKS, STALL_LINKS } from "./faults/link-faults.ts";
import { membershipChurn } from "./faults/membership-fault.ts";
import {
  PARTITION_BRIDGE,
  PARTITION_HALVES,
  PARTITION_LEADER,
  PARTITION_LEADER_MINORITY,
  PARTITION_ONE_WAY,
  PARTITION_RING,
  SWIZZLE_CLOG,
} from "./faults/partition-faults.ts";
import { PART_KILL, PAUSE_KILL, POWER_LOSS, POWER_LOSS_ALL } from "./faults/power-faults.ts";
import {
  KILL,
  KILL_ALL,
  KILL_LEADER,
  PAUSE,
  PAUSE_LEADER,
  ROLLING_RESTART,
} from "./faults/process-faults.ts";
import {
  CLIENT_CRASH,
  CLOCK_JUMP,
  NAME_SERVERS_DOWN,
  SNAPSHOTS,
  TRANSFER_STORM,
} from "./faults/quiet-faults.ts";
import { VOTE_LOSS } from "./faults/vote-fault.ts";

/** Some remember what they have done: each cluster has its own. */
export function allFaults(): readonly Fault[] {
  return [
    KILL,
    KILL_LEADER,
    KILL_ALL,
    PAUSE,
    PAUSE_LEADER,
    PARTITION_HALVES,
    PARTITION_LEADER,
    PARTITION_LEADER_MINORITY,
    PARTITION_ONE_WAY,
    PARTITION_RING,
    PARTITION_BRIDGE,
    SWIZZLE_CLOG,
    SLOW_LINKS,
    LOSSY_LINKS,
    STALL_LINKS,
    TRANSFER_STORM,
    ROLLING_RESTART,
    NAME_SERVERS_DOWN,
    membershipChurn(),
    DISK_FULL,
    CORRUPTION,
    FAILED_FSYNC,
    SLOW_FSYNC,
    POWER_LOSS,
    POWER_LOSS_ALL,
    PART_KILL,
    PAUSE_KILL,
    VOTE_LOSS,
    CLOCK_JUMP,
    SNAPSHOTS,
    CLIENT_CRASH,
  ];
}
