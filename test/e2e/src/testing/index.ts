// For other harnesses of real processes.
export { ownChild, ownFolder, removeFolder } from "../kit/owned-by-process.ts";
export { OwnedProcess, type OwnedProcessInit, QUORUMLOG } from "../kit/owned-process.ts";
