/** Faults of links that are there, but bad. */

import { sleep } from "@quorumlog/integration/testing";
import { waysBetween } from "../../cluster/way.ts";
import type { Fault } from "../fault.ts";
import { Repetition } from "./repetition.ts";
import { electionsSeen, sayNodes } from "./victims.ts";

const KIB = 1024;
/** Heartbeats alone are less, in the time that a fault lasts. */
const SLOW_BYTES_MIN = 16 * KIB;

export const SLOW_LINKS: Fault = {
  name: "slow-links",
  title: "links of a node, or of all, have little bandwidth, and each chunk comes late",
  reach: "nobody",
  begin: ({ cluster, prng }) => {
    const { memberIds } = cluster;
    const some = prng.chance(0.5) ? memberIds : [prng.pick(memberIds)];
    const others = [...memberIds, "clients" as const];
    const bytesPerSecond = prng.between(64 * KIB, 1024 * KIB);
    // Up to what an election takes.
    const delayMs = prng.between(5, 200);
    const elections = electionsSeen(cluster);
    const slowness = cluster.links.slow(waysBetween(some, others), bytesPerSecond, delayMs);
    const rate = Math.round(bytesPerSecond / KIB);
    return Promise.resolve({
      nodes: some,
      words: `links of ${sayNodes(some)}: ${rate} KiB/s, ${delayMs} ms late`,
      end: () => {
        slowness.end();
        const evidence = { slowBytes: slowness.bytes(), elections: elections() };
        return Promise.resolve({ evidence, hasBitten: evidence.slowBytes >= SLOW_BYTES_MIN });
      },
    });
  },
};

export const STALL_LINKS: Fault = {
  name: "stall-links",
  title: "a node's links stop and go, faster than anybody is missed",
  reach: "minority",
  begin: ({ cluster, harm, prng }) => {
    if (harm.room === 0) return Promise.resolve(undefined);
    const nodeId = prng.pick(harm.unharmed);
    const claim = harm.claim([nodeId]);
    if (claim === undefined) return Promise.resolve(undefined);
    const others = cluster.memberIds.filter((other) => other !== nodeId);
    let stalls = 0;
    let heldBytes = 0;
    const stopAndGo = new Repetition(async () => {
      const silence = cluster.links.silence(waysBetween([nodeId], others));
      await sleep(prng.between(50, 500));
      silence.end();
      stalls += 1;
      heldBytes += silence.counts().heldBytes;
      await sleep(prng.between(20, 200));
    });
    return Promise.resolve({
      nodes: [nodeId],
      words: `links of node ${nodeId} stop and go`,
      end: async () => {
        await stopAndGo.stop();
        claim.release();
        return { evidence: { stalls, heldBytes }, hasBitten: stalls > 0 && heldBytes > 0 };
      },
    });
  },
};
