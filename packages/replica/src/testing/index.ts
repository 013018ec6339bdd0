// For the tests of whoever uses the library.
export { type ClusterOptions, startCluster, TestCluster } from "./start-cluster.ts";

// For the simulator of the project.
export {
  type GroupInit,
  type GroupPlace,
  openGroup,
  type OpenGroup,
  openNode,
  recoverGroup,
} from "../open-group.ts";
export type { FlushMode } from "../flush-mode.ts";
export { COMMAND_KIND, type CommandDraft } from "../container.ts";
export type { Machine, RecordBatch, StatePosition } from "../machine.ts";
export { GroupDuties } from "../group-duties.ts";
export { MARKER_DRAFT, type Retention, trimDraft } from "../leader-duties.ts";
export { decodeFounded } from "../founded-transport.ts";
export { type ReaderLimits, RecordReader } from "../record-reader.ts";
export type { Replica } from "../replica.ts";
export { parseTuning } from "../replica-options.ts";
export { recordsDraft, sessionDraft } from "../command-drafts.ts";
