/** Builds that are broken on purpose, and what each of them cannot hide from. */

import { type Bug, foreignBug, plantedBugs } from "@quorumlog/mutants";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DiskName } from "../disk/disk.ts";

/** What a broken build is run with. */
export interface Exposure {
  readonly workloads: readonly string[];
  readonly nemeses: readonly string[];
  /** Of the part with faults. */
  readonly timeLimitS: number;
  /** As of a run. */
  readonly leaseReads: boolean | undefined;
  /** As of a run; default `unsynced`. */
  readonly disk?: DiskName;
  readonly lazyfs?: string | undefined;
}

export interface BrokenBuild {
  readonly bug: Bug;
  readonly exposure: Exposure;
}

/** Bugs that no other test is about, beside `src` and `dist`. */
const BROKEN = fileURLToPath(new URL("../../broken/", import.meta.url));

const TIME_LIMIT_S = 40;

/** By the name of a planted bug, of test/mutants/bugs or of test/jepsen/broken. */
const EXPOSURES: readonly (readonly [bug: string, workload: string, nemesis: string])[] = [
  // Acknowledged before it is on the disk.
  ["102-append-not-synced", "append", "power-loss-all"],
  ["35-ack-before-persist", "append", "part-kill"],
  ["101-answered-before-sync", "append", "part-kill"],
  ["08-vote-before-persist", "append", "vote-loss"],
  // Acknowledged before a majority has it.
  ["acknowledged-before-a-quorum", "append", "partition-leader"],
  // Reads of those who do not lead any more, or who have not applied what is committed.
  ["75-read-unconfirmed", "register", "partition-leader"],
  ["137-read-before-confirmation", "append", "partition-leader"],
  ["138-read-before-apply", "register", "slow-links"],
  ["139-uncommitted-read", "append", "partition-leader"],
  ["79-lease-ignores-pause", "register", "pause-leader"],
  // A second try takes effect a second time.
  ["141-duplicate-applied-twice", "append", "kill-leader"],
  ["producers-forgotten-on-failover", "queue", "kill-leader"],
  ["publish-numbered-anew", "queue", "kill-leader"],
  ["301-repeated-batch-stored-again", "queue", "kill-leader"],
  // Consumers.
  ["offset-acknowledged-outside-the-log", "offsets", "partition-leader"],
  ["316-groups-spread-over-queues", "ordered", "kill-leader"],
  ["305-fetch-skips-what-did-not-fit", "kafka", "kill-leader"],
  // What a snapshot lacks, or has too early; one that the log is cut to before it is on the disk.
  ["143-sessions-not-in-image", "append", "snapshots,kill"],
  ["148-image-made-late", "register", "snapshots,kill"],
  ["158-snapshot-published-unsynced", "register", "snapshots,power-loss"],
];

/** Found where reads rest on leases. */
const LEASE_READERS: ReadonlySet<string> = new Set(["79-lease-ignores-pause"]);

/** @throws PatchError if one of them is no patch; Error if there is none of a name. */
export function brokenBuilds(): BrokenBuild[] {
  const own = readdirSync(BROKEN)
    .filter((name) => name.endsWith(".patch"))
    .map((name) => foreignBug(join(BROKEN, name)));
  const bugs = new Map([...plantedBugs(), ...own].map((bug) => [bug.name, bug]));
  return EXPOSURES.map(([name, workload, nemesis]) => {
    const bug = bugs.get(name);
    if (bug === undefined) throw new Error(`there is no planted bug ${name}`);
    const workloads = workload.split(",");
    const nemeses = nemesis.split(",");
    const leaseReads = LEASE_READERS.has(name);
    return { bug, exposure: { workloads, nemeses, timeLimitS: TIME_LIMIT_S, leaseReads } };
  });
}
