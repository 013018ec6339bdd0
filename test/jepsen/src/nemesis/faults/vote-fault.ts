/**
 * A vote that is lost with its voter's power, though the candidate has heard of it:
 *
 *     1   former leader |     candidate <── vote ── voter     the voter loses power right behind it
 *     2   former leader |     candidate: leads              | voter is down
 *     3   former leader ──────────── voter                  | candidate: has led
 *
 * What the voter remembers keeps the third step from electing somebody in the candidate's term.
 */

import { NO_TROUBLE, sleep } from "@quorumlog/integration/testing";
import type { TestCluster } from "../../cluster/test-cluster.ts";
import { waysBetween, waysFrom } from "../../links/way.ts";
import type { Fault, FaultEnd } from "../fault.ts";
import { sayNodes, setDisk } from "./victims.ts";

/** Of syncs meanwhile: a vote that waits for none is not on the disk when the power goes. */
const SYNC_MS = 120;
const VOTE_MS_MAX = 5_000;
const LEAD_MS_MAX = 1_000;
const LOOK_MS = 5;
const SECOND_REIGN_MS = [1_500, 3_000] as const;

export const VOTE_LOSS: Fault = {
  name: "vote-loss",
  title: "a voter loses power right behind its vote, and meets those who have not heard of it",
  reach: "all",
  needs: "forgetfulDisk",
  holdMsMax: 0,
  begin: ({ cluster, harm, prng }) => {
    const leaderId = cluster.leaderId();
    const claim = leaderId === undefined ? undefined : harm.claimAll();
    if (leaderId === undefined || claim === undefined) return Promise.resolve(undefined);
    const others = prng.shuffle(claim.nodes.filter((nodeId) => nodeId !== leaderId));
    const beside = Math.floor((claim.nodes.length - 1) / 2) - 1;
    if (beside < 0) {
      claim.release();
      return Promise.resolve(undefined);
    }
    const former = [leaderId, ...others.slice(0, beside)];
    const electing = others.slice(beside);
    return Promise.resolve({
      nodes: claim.nodes,
      words: `${sayNodes(former)} cut off; of the others, who votes loses power, and meets them`,
      end: async () => {
        try {
          const secondMs = prng.between(...SECOND_REIGN_MS);
          return await loseVote(cluster, { former, electing, secondMs });
        } finally {
          claim.release();
        }
      },
    });
  },
};

interface Sides {
  /** With the leader, as many as a minority. */
  readonly former: readonly number[];
  readonly electing: readonly number[];
  readonly secondMs: number;
}

async function loseVote(
  cluster: TestCluster,
  { former, electing, secondMs }: Sides,
): Promise<FaultEnd> {
  const { links } = cluster;
  await slowDisks(cluster, electing, SYNC_MS);
  const first = await links.silence(waysBetween(former, electing));
  const vote = await firstVote(cluster, electing);
  if (vote === undefined) {
    await first.end();
    await slowDisks(cluster, electing, 0);
    return { evidence: { votes: 0 }, hasBitten: false };
  }
  const { voterId, candidateId, term } = vote;
  const rest = electing.filter((nodeId) => nodeId !== voterId);
  const led = reignsOf(cluster, [candidateId]);
  // The vote is on its way, and has to arrive; nothing comes back.
  const deaf = await links.silence(waysFrom(rest, [voterId]));
  const discardedBytes = await cluster.losePower(voterId);
  const endMs = performance.now() + LEAD_MS_MAX;
  while (!led.terms.has(term) && performance.now() < endMs) await sleep(LOOK_MS);
  led.stop();
  const silences = [
    deaf,
    await links.silence(waysFrom([voterId], rest)),
    await links.silence(waysBetween(former, rest)),
  ];
  await first.end();
  const second = reignsOf(cluster, [...former, voterId]);
  await slowDisks(cluster, rest, 0);
  await cluster.startNode(voterId);
  await sleep(secondMs);
  second.stop();
  for (const silence of silences) await silence.end();
  const hasLed = led.terms.has(term);
  const evidence = { votes: 1, hasLed, elections: second.terms.size, discardedBytes };
  return { evidence, hasBitten: hasLed && second.terms.size > 0 };
}

async function slowDisks(
  cluster: TestCluster,
  nodes: readonly number[],
  syncDelayMs: number,
): Promise<void> {
  const condition = { ...NO_TROUBLE, syncDelayMs };
  await Promise.all(nodes.map((nodeId) => setDisk(cluster, nodeId, condition)));
}

interface Vote {
  readonly voterId: number;
  readonly candidateId: number;
  readonly term: number;
}

/** @returns as soon as one of them has sent its vote; `undefined`: none has, for long. */
async function firstVote(
  cluster: TestCluster,
  electing: readonly number[],
): Promise<Vote | undefined> {
  return new Promise((resolve) => {
    const end = (vote: Vote | undefined): void => {
      clearTimeout(timer);
      stop();
      resolve(vote);
    };
    const timer = setTimeout(end, VOTE_MS_MAX, undefined);
    const stop = cluster.onEvent(({ nodeId, name, detail }) => {
      if (name !== "voteSent" || !electing.includes(nodeId)) return;
      end({ voterId: nodeId, ...(JSON.parse(detail) as Omit<Vote, "voterId">) });
    });
  });
}

/** The terms that one of these nodes says to lead, from now on. */
function reignsOf(
  cluster: TestCluster,
  nodes: readonly number[],
): { readonly terms: ReadonlySet<number>; readonly stop: () => void } {
  const terms = new Set<number>();
  const stop = cluster.onEvent(({ nodeId, name, detail }) => {
    if (name !== "role" || !nodes.includes(nodeId)) return;
    const { role, term } = JSON.parse(detail) as { readonly role: string; readonly term: number };
    if (role === "leader") terms.add(term);
  });
  return { terms, stop };
}
