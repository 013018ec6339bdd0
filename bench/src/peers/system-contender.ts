/** A system as it takes its turn: a cluster of it, measured by every workload. */

import type { Contender, RunningContender } from "./contender.ts";
import { MeasuredCluster } from "./measured-cluster.ts";
import type { GivenFolders, PeerSystem } from "./peer-system.ts";
import { WARM_UP_BODY_BYTES, warmUpsOf } from "./warm-up.ts";
import { faultsOf, faultsOfUnknown, type Workload } from "./workload.ts";

const WARM_UP_TOPIC = "warm-up";

export function systemContender(system: PeerSystem, folders: GivenFolders): Contender {
  const { name, folderFlag } = system;
  const jars = folderFlag && folders[folderFlag];
  return {
    name,
    takes: () => true,
    start: async (parent) => runningOf(await MeasuredCluster.start(system, parent, jars)),
  };
}

function runningOf(measured: MeasuredCluster): RunningContender {
  const { version, durability } = measured.cluster;
  return {
    card: { version, durability },
    warmUp: (timeMs) => warmUp(measured, timeMs),
    measure: (workload: Workload, ground) => workload.run(measured, ground),
    stop: () => measured.stop(),
  };
}

async function warmUp(measured: MeasuredCluster, timeMs: number): Promise<void> {
  await measured.begin(WARM_UP_TOPIC, WARM_UP_BODY_BYTES);
  for (const load of warmUpsOf(timeMs)) await measured.publish(load);
  await measured.follow();
  const audit = await measured.finish();
  const { unknown } = await measured.published();
  const faults = [...faultsOfUnknown(unknown), ...faultsOf(audit)];
  if (faults.length > 0) throw new Error(`warming up: ${faults.join("; ")}`);
  await measured.cluster.deleteTopic(WARM_UP_TOPIC);
}
