/** Which picture the results of each bench make: what `npm run bench -- plot FILE` looks up. */

import type { Drawing } from "../plot/chart.ts";
import { drawBacklog } from "./backlog-drawing.ts";
import { drawBroker } from "./broker-drawing.ts";
import { drawBrokerSoak } from "./broker-soak-drawing.ts";
import { drawCore } from "./core-drawing.ts";
import { drawFailover } from "./failover-drawing.ts";
import { drawGuard } from "./guard-drawing.ts";
import { drawLog } from "./log-drawing.ts";
import { drawPeers } from "./peers-drawing.ts";
import { drawReplica } from "./replica-drawing.ts";
import { drawScale } from "./scale-drawing.ts";
import { drawSoak } from "./soak-drawing.ts";
import { drawSpike } from "./spike-drawing.ts";
import { drawTopics } from "./topics-drawing.ts";

/** By the name that `writeOutcome` was given. */
const DRAWINGS: ReadonlyMap<string, (results: never) => Drawing> = new Map<
  string,
  (results: never) => Drawing
>([
  ["backlog", drawBacklog],
  ["broker", drawBroker],
  ["broker-soak", drawBrokerSoak],
  ["core", drawCore],
  ["failover", drawFailover],
  ["guard", drawGuard],
  ["log", drawLog],
  ["peers", drawPeers],
  ["replica", drawReplica],
  ["scale", drawScale],
  ["soak", drawSoak],
  ["spike", drawSpike],
  ["topics", drawTopics],
]);

/**
 * @param results - As the bench has written them.
 * @throws if there is no such bench.
 */
export function drawingOf(results: unknown, bench: string): Drawing {
  const draw = DRAWINGS.get(bench);
  if (draw === undefined) throw new Error(`there is no picture of bench "${bench}"`);
  return (draw as (results: unknown) => Drawing)(results);
}
