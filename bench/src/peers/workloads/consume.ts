/** A backlog read by one process, each message decoded, beside a bare stream of the same bytes. */

import { bareStreamSeconds } from "../bare-stream.ts";
import { BYTES_MAX, faultsOf, KB, type Workload } from "../workload.ts";

const BODY_BYTES = KB;
const IN_FLIGHT = 1_000;
/** Of a backlog, in which slower systems have fewer: writing it takes up to four times as long. */
const MESSAGES_PER_MS = 100;
const FILL_TIMES = 4;

export const CONSUME: Workload = {
  name: "consume a backlog of 1 KB",
  unit: "read/s",
  isMoreBetter: true,
  judgedBy: "median",
  run: async (measured, { topic, timeMs }) => {
    await measured.begin(topic, BODY_BYTES);
    const messagesMax = Math.min(MESSAGES_PER_MS * timeMs, Math.floor(BYTES_MAX / BODY_BYTES));
    await measured.publish({ inFlight: IN_FLIGHT, ms: FILL_TIMES * timeMs, messagesMax });
    const before = measured.cpu();
    await measured.follow();
    const figures = await measured.finish();
    const after = measured.cpu();
    await measured.cluster.deleteTopic(topic);
    const { read, seconds } = figures;
    const bareSeconds = await bareStreamSeconds(read * BODY_BYTES);
    return {
      values: [read / seconds],
      beside: {
        "bare/s": read / bareSeconds,
        "of bare": bareSeconds / seconds,
        messages: read,
        "client us": (after.reader - before.reader) / read,
        "servers us": (after.servers - before.servers) / read,
      },
      faults: faultsOf(figures),
    };
  },
};
