export { assert, InvariantViolation, required, unreachable } from "./assert.ts";
export {
  exitCodeOf,
  FlagError,
  type FlagsOf,
  type FlagSpec,
  type FlagSpecs,
  readFlags,
  type ReadFlags,
  refuseFlags,
} from "./flags.ts";
export { integerProblem, type IntegerRange, valueInWords } from "./integer-problem.ts";
export { Prng } from "./prng.ts";
export { holdBytes, releaseBytes, SlabPool, type SlabPoolOptions } from "./slab-pool.ts";
export { smallChecksum } from "./small-checksum.ts";
export { recordSometimes, sometimes, type SometimesRecorder } from "./sometimes.ts";
export { TimeQueue } from "./time-queue.ts";
