/** Memory in which a mistake shows: whoever reads on without a hold reads nonsense. */

import { SlabPool, sometimes } from "@quorumlog/std";

/** Room for any container, and so little that it is used again soon. */
const SLAB_BYTES = 20 * 1_024;
const NONSENSE = 0xdb;

export function spoiledMemory(): SlabPool {
  return new SlabPool({
    slabBytes: SLAB_BYTES,
    onFree: (slab) => {
      sometimes("memory used again");
      slab.fill(NONSENSE);
    },
  });
}
