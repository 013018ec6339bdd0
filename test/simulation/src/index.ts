// The simulator, for whoever runs seeds by program.
export { BatchReport, type BatchSummary, type FailedSeed } from "./run/batch-report.ts";
export { missingPaths, RARE_PATH_SEED_COUNT, RARE_PATHS } from "./run/rare-paths.ts";
export { runSeed, type SeedFailure, type SeedResult, type SeedRunOptions } from "./run/seed-run.ts";
export { drawSwarm, FAULT_KINDS, type FaultKind, type SwarmOptions } from "./fault/swarm.ts";

// The engine, for other packages that are to be simulated: time, network, disk, clocks, trace.
export { type CrashKind, Disk, DiskImage, type DiskRecord } from "./engine/disk.ts";
export { EventQueue, type Micros, MILLISECOND, SECOND } from "./engine/event-queue.ts";
export { Fingerprint } from "./engine/fingerprint.ts";
export { withoutRealWorld } from "./engine/global-guard.ts";
export { HostClock } from "./engine/host-clock.ts";
export { LogView } from "./engine/log-view.ts";
export { Marks } from "./engine/marks.ts";
export {
  type LinkQuality,
  Network,
  type NetworkOptions,
  type SendOutcome,
} from "./engine/network.ts";
export { TRACE, Trace } from "./engine/trace.ts";
export { hold, Violation } from "./engine/violation.ts";

// The checkers, each usable by itself.
export { describeConfiguration, nextConfiguration } from "./check/configuration-model.ts";
export { EntryRegistry } from "./check/entry-registry.ts";
export { Invariants } from "./check/invariants.ts";
export { Ledger } from "./check/ledger.ts";
export { majority, type MemberDirectory } from "./check/member-directory.ts";
export { Oracle, type WriteOperation } from "./check/oracle.ts";
export { Promises } from "./check/promises.ts";

// A world without its faults, for demonstrations.
export { World, type WorldOptions } from "./run/world.ts";
