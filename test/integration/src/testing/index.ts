// For other harnesses of real processes.
export { type DiskCondition, NO_TROUBLE, type TroubleCounts } from "../disk-condition.ts";
export { FaultyFileSystem } from "../faulty-file-system.ts";
export { PatienceError, sleep, until, within } from "../patience.ts";
export { RoutedTransport } from "../routed-transport.ts";
export { UnsyncedFileSystem } from "../unsynced-file-system.ts";
