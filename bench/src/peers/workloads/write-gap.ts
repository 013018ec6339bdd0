/** How long nothing is acknowledged after `kill -9` of the leader, at half of the peak. */

import { monotonicMs } from "../peer-body.ts";
import type { MeasuredCluster } from "../measured-cluster.ts";
import { type AckGap, pause, type Pulse } from "../publisher.ts";
import { faultsOf, KB, type Workload } from "../workload.ts";

const BODY_BYTES = KB;
const PEAK_IN_FLIGHT = 1_000;
const PEAK_MESSAGES_MAX = 1_000_000;
const LOAD = 0.5;
/** Before a kill, and after the first acknowledgements that follow it. */
const CALM_MS = 1_500;
const CALM_GAP_MS = 500;
const GAP_DEADLINE_MS = 60_000;
const LOOK_MS = 50;

export const WRITE_GAP: Workload = {
  name: "write gap after kill -9 of the leader",
  unit: "ms",
  isMoreBetter: false,
  judgedBy: "worst",
  run: async (measured, { topic, timeMs, kills }) => {
    // How long a client takes to find another node is not what is asked.
    await measured.begin(topic, BODY_BYTES, "follower");
    const load = { inFlight: PEAK_IN_FLIGHT, messagesMax: PEAK_MESSAGES_MAX };
    const { messages, seconds } = await measured.publish({ ...load, ms: timeMs });
    const perSecond = (messages / seconds) * LOAD;
    await measured.startPace(perSecond);
    const values: number[] = [];
    const faults: string[] = [];
    for (let i = 0; i < kills; i++) {
      await pause(CALM_MS);
      const since = monotonicMs();
      await measured.cluster.killLeader(topic);
      const pulse = await calmAfter(measured, since);
      values.push(gapAfter(pulse, since));
      if (!isCalm(pulse)) faults.push(`not calm within ${GAP_DEADLINE_MS} ms of a kill`);
      await measured.cluster.restart(topic);
    }
    await measured.endPace();
    await measured.follow();
    const audit = await measured.finish();
    const { unknown } = await measured.published();
    await measured.cluster.deleteTopic(topic);
    return {
      values,
      beside: { "sent/s": perSecond, unknown: unknown.length, repeated: audit.repeated },
      faults: [...faults, ...faultsOf(audit)],
    };
  },
};

/** Returns when acknowledgements have come for a while again, or the time is over. */
async function calmAfter(measured: MeasuredCluster, since: number): Promise<Pulse> {
  const struckAt = monotonicMs();
  for (;;) {
    await pause(LOOK_MS);
    const pulse = await measured.pulse();
    const now = monotonicMs();
    if (now - since > GAP_DEADLINE_MS) return pulse;
    if (now - struckAt > CALM_MS && isCalm(pulse)) return pulse;
  }
}

function isCalm({ gaps, lastAckAt }: Pulse): boolean {
  const now = monotonicMs();
  const isLate = ({ endedAt, ms }: AckGap): boolean => ms > CALM_GAP_MS && endedAt > now - CALM_MS;
  return now - lastAckAt < CALM_GAP_MS && !gaps.some(isLate);
}

/** The longest one that was not over then; one that is not over yet counts as it is. */
function gapAfter({ gaps, lastAckAt }: Pulse, since: number): number {
  const over = gaps.filter(({ endedAt }) => endedAt > since).map(({ ms }) => ms);
  return Math.max(monotonicMs() - lastAckAt, ...over);
}
