// For other harnesses of real processes.
export { type DiskFault, parseDiskFault } from "../disk-fault.ts";
export { FaultyFileSystem } from "../faulty-file-system.ts";
export { PatienceError, sleep, until, within } from "../patience.ts";
export { RoutedTransport } from "../routed-transport.ts";
export { UnsyncedFileSystem } from "../unsynced-file-system.ts";
