/**
 * One instance of a service, as a process of its own:
 *
 *     node service-main.js <service> <folder for its ledger> <NameServers>
 *
 * More instances of a service share its work: they are members of one consumer group.
 */

import { PushConsumer } from "@quorumlog/client";
import { Ledger } from "./ledger.ts";
import { type OrderEvent, TOPIC } from "./order-event.ts";
import { type ServiceName, SERVICES } from "./services.ts";

const [, , name = "", folder = "", nameServers = ""] = process.argv;
const { tags, workMs } = SERVICES[name as ServiceName];
const ledger = new Ledger(folder, name as ServiceName);

const consumer = await PushConsumer.open({
  nameServers: nameServers.split(","),
  consumerGroup: name,
  subscriptions: { [TOPIC]: tags },
  // Events of one order one behind the other; of different orders, four at a time.
  order: "per-key",
  concurrency: 4,
  // If this process is killed, its queues are given to others after so long.
  sessionTimeoutMs: 6_000,
  // And what was done since the last commit is done again.
  commitIntervalMs: 500,
  listener: async (message) => {
    if (workMs > 0) await new Promise((resolve) => setTimeout(resolve, workMs));
    ledger.write(JSON.parse(message.text()) as OrderEvent);
  },
});

process.once("SIGTERM", () => {
  consumer.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
