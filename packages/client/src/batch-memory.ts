/**
 * Memory for the batches of all producers of a process, used again when a broker has answered for
 * what was in it. Batches under load are of one size, and few are under way.
 */

import { SpareMemory } from "@quorumlog/protocol";

export const BATCH_MEMORY: SpareMemory = new SpareMemory({
  bytesMin: 16 << 10,
  // The largest batch that fills by itself, with the heads of its records: more of small ones.
  bytesMax: 3 << 19,
  spareBytesMax: 8 << 20,
});
