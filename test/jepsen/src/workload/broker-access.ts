/** How clients of brokers get at what they need: patiently, as the cluster may be in any state. */

import {
  Admin,
  type CreateTopicOptions,
  OperationError,
  Producer,
  type ProducerOptions,
} from "@quorumlog/client";
import type { Target } from "../cluster/target.ts";
import type { ClientContext } from "./workload.ts";

const RETRY_MS = 200;

/** Makes a topic, or finds an equal one. @throws OperationError */
export async function makeTopic(
  { nameServers }: Target,
  options: Pick<CreateTopicOptions, "name" | "queueCount" | "type">,
): Promise<void> {
  await using admin = await Admin.open({ nameServers });
  await admin.createTopic({ ...options, isIdempotent: true });
}

/** Opens it again and again. @throws OperationError of what no repetition helps, or if aborted */
export async function openPatiently<T>(open: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof OperationError) || error.advice === "do-not-retry") throw error;
      if (signal.aborted) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** For all clients of a process. @throws OperationError as `openPatiently` does */
export function openProducer(
  { target: { nameServers }, signal }: ClientContext,
  options: Pick<ProducerOptions, "lingerMs" | "queueSelector"> = {},
): Promise<Producer> {
  const open = (): Promise<Producer> =>
    Producer.open({ nameServers, producerGroup: "jepsen", ...options });
  return openPatiently(open, signal);
}
