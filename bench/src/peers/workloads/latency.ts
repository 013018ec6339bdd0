/** How long a message takes from the moment when it is due to its reader, at a fixed rate. */

import { monotonicMs } from "../peer-body.ts";
import { pause } from "../publisher.ts";
import { faultsOf, faultsOfUnknown, KB, type Workload } from "../workload.ts";

const RATES = [1_000, 5_000];
const BODY_BYTES = KB;
/** Of the time, before it counts. */
const WARMUP_SHARE = 0.5;
/** The 99th percentile of a second at the lower rate would be that of ten messages. */
const MEASURED_MS_MIN = 3_000;

export const LATENCY: readonly Workload[] = RATES.map(latencyAt);

function latencyAt(perSecond: number): Workload {
  return {
    name: `end to end 1 KB at ${perSecond}/s`,
    unit: "p50 in ms",
    isMoreBetter: false,
    judgedBy: "median",
    run: async (measured, { topic, timeMs }) => {
      const measuredMs = Math.max(MEASURED_MS_MIN, timeMs);
      await measured.begin(topic, BODY_BYTES);
      await measured.follow();
      await measured.startPace(perSecond);
      await pause(measuredMs * WARMUP_SHARE);
      const measuredFrom = await measured.mark();
      const [pulse, before] = [await measured.pulse(), measured.cpu()];
      await pause(measuredMs);
      const [later, after] = [await measured.pulse(), measured.cpu()];
      const seconds = (monotonicMs() - measuredFrom) / 1_000;
      const acked = await measured.endPace();
      const figures = await measured.finish(measuredFrom);
      await measured.cluster.deleteTopic(topic);
      const { unknown } = await measured.published();
      const messages = later.acked - pulse.acked;
      const clients = after.publisher + after.reader - before.publisher - before.reader;
      return {
        values: [figures.p50Ms],
        beside: {
          "p99 ms": figures.p99Ms,
          "ack p50 ms": acked.p50Ms,
          "ack p99 ms": acked.p99Ms,
          "acked/s": messages / seconds,
          "clients us": clients / messages,
          "servers us": (after.servers - before.servers) / messages,
        },
        faults: [...faultsOfUnknown(unknown), ...faultsOf(figures)],
      };
    },
  };
}
