// For other harnesses of real processes.
export { ownChild, ownFolder, removeFolder } from "../kit/owned-by-process.ts";
export {
  OwnedProcess,
  type OwnedProcessInit,
  type ProcessEnd,
  QUORUMLOG,
} from "../kit/owned-process.ts";
