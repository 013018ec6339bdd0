/**
 * A shop and its four services, on a cluster of three brokers, while processes die:
 *
 *     shop ──> order-events ──> stock, coupon, logistics, notification
 *
 * Everything is a process of its own. `npm start`, or `npm start -- 300` for so many orders.
 */

import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Admin } from "@quorumlog/client";
import { Cluster } from "./cluster.ts";
import { totalsOf } from "./ledger.ts";
import { TOPIC } from "./order-event.ts";
import { kill, start, stopAll } from "./processes.ts";
import { type ServiceName, SERVICE_NAMES, SERVICES } from "./services.ts";
import { Shop } from "./shop.ts";

const QUEUES = 6;
const PATIENCE_MS = 90_000;
const LOOK_MS = 200;
const SERVICE_MAIN = fileURLToPath(new URL("service-main.js", import.meta.url));

const startedAt = performance.now();
const say = (what: string): void => {
  console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(5)} s  ${what}`);
};

const orders = Number(process.argv[2] ?? 1_500);
const folder = mkdtempSync(join(tmpdir(), "order-system-"));
const ledgers = join(folder, "ledgers");
mkdirSync(ledgers);
try {
  const cluster = await Cluster.start(folder);
  const nameServers = [cluster.nameServer];
  const admin = await Admin.open({ nameServers });
  await admin.createTopic({
    name: TOPIC,
    type: "fifo",
    queueCount: QUEUES,
    timeoutMs: PATIENCE_MS,
  });
  say("a NameServer and three brokers run");

  const begin = (service: ServiceName): ChildProcess =>
    start(join(folder, `${service}.log`), [SERVICE_MAIN, service, ledgers, cluster.nameServer]);
  const instances = new Map(SERVICE_NAMES.map((service) => [service, begin(service)]));
  const shop = await Shop.open(nameServers);
  say(`${SERVICE_NAMES.join(", ")} listen; the shop opens`);

  await shop.sell(0, orders / 3);
  await kill(instances.get("logistics") as ChildProcess);
  say(`${shop.published} events; logistics is killed, and another instance begins`);
  begin("logistics");

  await shop.sell(orders / 3, orders / 3);
  const former = await cluster.killLeader(admin);
  say(`${shop.published} events; node ${former}, the leader, is killed`);

  await shop.sell((2 * orders) / 3, orders / 3);
  say(`${shop.published} events, all acknowledged; the shop closes`);
  cluster.startBroker(former);
  await shop.close();

  say(`notification is ${lagOf(shop, "notification")} events behind: two more help`);
  begin("notification");
  begin("notification");
  await allConsumed(shop);
  say("everything is consumed");
  await admin.close();
  await stopAll();
  if (tellTotals(shop)) rmSync(folder, { recursive: true });
  else throw new Error("the totals do not agree");
} catch (error) {
  console.error(`what everybody had to say is in ${folder}`);
  throw error;
} finally {
  await stopAll();
}

/** How many events there are that a service has not dealt with yet. */
function lagOf(shop: Shop, service: ServiceName): number {
  return shop.expectedOf(service).events - totalsOf(ledgers, service).events;
}

async function allConsumed(shop: Shop): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (const service of SERVICE_NAMES)
    while (lagOf(shop, service) > 0) {
      if (performance.now() > deadline) throw new Error(`${service} does not catch up`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
}

/** @returns whether every service has come to what the shop has published for it. */
function tellTotals(shop: Shop): boolean {
  const rows = SERVICE_NAMES.map((service) => {
    const expected = shop.expectedOf(service);
    const { events, repeated, amount, isInOrder } = totalsOf(ledgers, service);
    const agrees = events === expected.events && amount === expected.amount && isInOrder;
    return {
      service,
      published: expected.events,
      consumed: events,
      "again, and known": repeated,
      "in order": isInOrder,
      total: `${amount} ${SERVICES[service].counts}`,
      agrees,
    };
  });
  console.table(rows);
  return rows.every(({ agrees }) => agrees);
}
