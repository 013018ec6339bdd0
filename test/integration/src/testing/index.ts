// For other harnesses of real processes.
export { type DiskCondition, NO_TROUBLE, type TroubleCounts } from "../disk-condition.ts";
export { FaultyFileSystem } from "../faulty-file-system.ts";
export { PatienceError, sleep, until, within } from "../patience.ts";
export { describeReport, type ErrorReport, isBrokenInvariant } from "../process/error-report.ts";
export { ownChild, ownFolder, removeFolder } from "../process/owned-by-process.ts";
export { OwnedProcess, type OwnedProcessInit } from "../process/owned-process.ts";
export {
  type CallHandlers,
  endWithParent,
  fail,
  serveCalls,
  tell,
} from "../process/parent-process.ts";
export {
  isFailedCall,
  ProcessCallError,
  type ServingEnd,
  ServingProcess,
} from "../process/serving-process.ts";
export { EXIT_CODE, type ServingWord } from "../process/serving-protocol.ts";
export { RoutedTransport } from "../routed-transport.ts";
export { UnsyncedFileSystem } from "../unsynced-file-system.ts";
