// For other harnesses of real processes.
export { QUORUMLOG } from "../kit/quorumlog-main.ts";
