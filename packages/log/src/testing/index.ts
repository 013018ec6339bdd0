export { type LogStoreCase, logStoreContract, type LogStoreHarness } from "./log-store-contract.ts";
export {
  MemoryFileSystem,
  type MemoryFileSystemInit,
  type Operation,
  type OperationEvent,
  ProcessStopped,
} from "./memory-file-system.ts";
