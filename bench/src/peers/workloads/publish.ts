/** Messages per second with so many under way, each acknowledged, all read back. */

import { ownWarmUpMs } from "../warm-up.ts";
import {
  BYTES_MAX,
  type ClosedLoop,
  faultsOf,
  faultsOfUnknown,
  KB,
  type Workload,
} from "../workload.ts";

const SIZES = [100, KB, 10 * KB];
const IN_FLIGHT = [1, 100, 1_000, 10_000];

export const PUBLISH: readonly Workload[] = SIZES.flatMap((bodyBytes) =>
  IN_FLIGHT.map((inFlight) => publishOf({ bodyBytes, inFlight })),
);

function publishOf(closedLoop: ClosedLoop): Workload {
  const { bodyBytes, inFlight } = closedLoop;
  const size = bodyBytes < KB ? `${bodyBytes} B` : `${bodyBytes / KB} KB`;
  return {
    name: `publish ${size} x ${inFlight}`,
    unit: "acked/s",
    isMoreBetter: true,
    judgedBy: "median",
    closedLoop,
    run: async (measured, { topic, timeMs }) => {
      await measured.begin(topic, bodyBytes);
      const messagesMax = Math.floor(BYTES_MAX / 2 / bodyBytes);
      await measured.publish({ inFlight, ms: ownWarmUpMs(timeMs), messagesMax });
      const before = measured.cpu();
      const figures = await measured.publish({ inFlight, ms: timeMs, messagesMax });
      const after = measured.cpu();
      const memory = measured.memory();
      await measured.follow();
      const audit = await measured.finish();
      const { unknown } = await measured.published();
      await measured.cluster.deleteTopic(topic);
      const { messages, seconds } = figures;
      return {
        values: [messages / seconds],
        beside: {
          "p50 ms": figures.p50Ms,
          "p99 ms": figures.p99Ms,
          "client us": (after.publisher - before.publisher) / messages,
          "servers us": (after.servers - before.servers) / messages,
          "servers MB": memory,
        },
        faults: [...faultsOfUnknown(unknown), ...faultsOf(audit)],
      };
    },
  };
}
