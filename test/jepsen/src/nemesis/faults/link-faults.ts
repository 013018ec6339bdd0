/** Faults of links that are there, but bad. */

import { sleep } from "@quorumlog/integration/testing";
import type { Prng } from "@quorumlog/std";
import { mergedSeen, type Seen } from "../../links/seen.ts";
import { waysBetween } from "../../links/way.ts";
import type { Fault } from "../fault.ts";
import { Repetition } from "./repetition.ts";
import { electionsSeen, sayNodes } from "./victims.ts";

const KIB = 1024;
/** Heartbeats alone are less, in the time that a fault lasts. */
const SLOW_BYTES_MIN = 16 * KIB;
/** A connection comes to a stand on the bad ones now and then, and goes on; `[low, high)`. */
const LOSS_PERCENT = [1, 26] as const;

export const SLOW_LINKS: Fault = {
  name: "slow-links",
  title: "links of a node, or of all, have little bandwidth, and each chunk comes late",
  reach: "nobody",
  begin: async ({ cluster, prng }) => {
    const { memberIds, links } = cluster;
    const some = nodeOrAll(memberIds, prng);
    const bytesPerSecond = prng.between(64 * KIB, 1024 * KIB);
    // Up to what an election takes.
    const drawnMs = prng.between(5, 200);
    const delayMs = links.lacks.delay === undefined ? drawnMs : 0;
    const elections = electionsSeen(cluster);
    const ways = waysBetween(some, [...memberIds, "clients"]);
    const slowness = await links.slow(ways, { bytesPerSecond, delayMs });
    const rate = Math.round(bytesPerSecond / KIB);
    const late = delayMs > 0 ? `, ${delayMs} ms late` : "";
    return {
      nodes: some,
      words: `links of ${sayNodes(some)}: ${rate} KiB/s${late}`,
      end: async () => {
        const { counts } = await slowness.end();
        const hasBitten = (counts["slowBytes"] ?? 0) >= SLOW_BYTES_MIN;
        return { evidence: { ...counts, elections: elections() }, hasBitten };
      },
    };
  },
};

export const LOSSY_LINKS: Fault = {
  name: "lossy-links",
  title: "links of a node, or of all, lose packets by chance",
  reach: "nobody",
  needs: "loss",
  begin: async ({ cluster, prng }) => {
    const { memberIds } = cluster;
    const some = nodeOrAll(memberIds, prng);
    const percent = prng.between(...LOSS_PERCENT);
    const elections = electionsSeen(cluster);
    const ways = waysBetween(some, [...memberIds, "clients"]);
    const losses = await cluster.links.lose(ways, percent / 100);
    return {
      nodes: some,
      words: `links of ${sayNodes(some)}: ${percent} % of packets are lost`,
      end: async () => {
        const { counts, hasBitten } = await losses.end();
        return { evidence: { ...counts, elections: elections() }, hasBitten };
      },
    };
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
    const seen: Seen[] = [];
    const stopAndGo = new Repetition(async () => {
      const silence = await cluster.links.silence(waysBetween([nodeId], others));
      await sleep(prng.between(50, 500));
      seen.push(await silence.end());
      stalls += 1;
      await sleep(prng.between(20, 200));
    });
    return Promise.resolve({
      nodes: [nodeId],
      words: `links of node ${nodeId} stop and go`,
      end: async () => {
        await stopAndGo.stop();
        claim.release();
        const { counts, hasBitten } = mergedSeen(seen);
        return { evidence: { stalls, ...counts }, hasBitten };
      },
    });
  },
};

function nodeOrAll(memberIds: readonly number[], prng: Prng): readonly number[] {
  return prng.chance(0.5) ? memberIds : [prng.pick(memberIds)];
}
