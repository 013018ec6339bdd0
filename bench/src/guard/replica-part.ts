/** Three replicas beside a bare program that moves the same bytes; both stay up. */

import { NodeGroup } from "../replica/node-group.ts";
import type { GuardPart } from "./guard-part.ts";

const ENTRY_BYTES = 1_024;
const IN_FLIGHT = [1, 256];
/** Of each load: V8 optimizes what has run often, which one at a time seldom does. */
const WARMUPS: readonly { readonly inFlight: number; readonly ms: number }[] = [
  { inFlight: 256, ms: 1_000 },
  { inFlight: 1, ms: 3_000 },
];
const BARE_WARMUP_MS = 500;

export const REPLICA_PART: GuardPart = {
  bench: "replica",
  cases: IN_FLIGHT.map(nameOf),
  async start(folder) {
    const bare = await NodeGroup.start("bare", folder);
    try {
      const log = await NodeGroup.start("log", folder);
      const stop = (): Promise<void> => {
        bare.stop();
        log.stop();
        return Promise.resolve();
      };
      try {
        for (const { inFlight, ms } of WARMUPS) {
          await perSecond(bare, inFlight, BARE_WARMUP_MS);
          await perSecond(log, inFlight, ms);
        }
      } catch (error) {
        log.stop();
        throw error;
      }
      const pairs = IN_FLIGHT.map((inFlight) => ({
        name: nameOf(inFlight),
        bare: (ms: number) => perSecond(bare, inFlight, ms),
        ours: (ms: number) => perSecond(log, inFlight, ms),
      }));
      return { pairs, stop };
    } catch (error) {
      bare.stop();
      throw error;
    }
  },
};

function nameOf(inFlight: number): string {
  return `replica 1 KB x ${inFlight}`;
}

async function perSecond(group: NodeGroup, inFlight: number, ms: number): Promise<number> {
  const { entries, seconds } = await group.load({
    entryBytes: ENTRY_BYTES,
    inFlight,
    warmupMs: 0,
    ms,
  });
  return entries / seconds;
}
