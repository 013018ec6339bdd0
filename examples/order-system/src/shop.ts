/** Publishes the life of orders, and knows what every service should come to. */

import { Producer } from "@quorumlog/client";
import { type OrderEvent, type Step, STEPS, TOPIC } from "./order-event.ts";
import { type ServiceName, SERVICES } from "./services.ts";

const ORDERS_AT_ONCE = 50;

export interface Expected {
  events: number;
  amount: number;
}

export class Shop {
  readonly #producer: Producer;
  readonly #expected = new Map<ServiceName, Expected>();
  published = 0;

  private constructor(producer: Producer) {
    this.#producer = producer;
  }

  static async open(nameServers: readonly string[]): Promise<Shop> {
    // Long enough for another leader to be elected, and for the same batch to be sent to it: it is
    // stored once.
    return new Shop(await Producer.open({ nameServers, producerGroup: "shop", timeoutMs: 30_000 }));
  }

  /** All events of so many orders; resolves when each of them is on the disks of a majority. */
  async sell(firstOrder: number, count: number): Promise<void> {
    for (let from = firstOrder; from < firstOrder + count; from += ORDERS_AT_ONCE) {
      const left = Math.min(ORDERS_AT_ONCE, firstOrder + count - from);
      const orders = Array.from({ length: left }, (_, i) => from + i);
      for (const step of STEPS)
        await Promise.all(orders.map((order) => this.#publish(eventOf(order, step))));
    }
  }

  expectedOf(service: ServiceName): Expected {
    return this.#expected.get(service) ?? { events: 0, amount: 0 };
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }

  async #publish(event: OrderEvent): Promise<void> {
    const { orderId, step } = event;
    await this.#producer.send(TOPIC, {
      body: JSON.stringify(event),
      // Messages of one group stay in order: they share a queue.
      messageGroup: orderId,
      tag: step,
      keys: [orderId],
    });
    this.published += 1;
    for (const name of Object.keys(SERVICES) as ServiceName[]) this.#expect(name, event);
  }

  #expect(name: ServiceName, event: OrderEvent): void {
    const { tags, amountOf } = SERVICES[name];
    if (tags !== "*" && !tags.split(" || ").includes(event.step)) return;
    const { events, amount } = this.expectedOf(name);
    this.#expected.set(name, { events: events + 1, amount: amount + amountOf(event) });
  }
}

function eventOf(order: number, step: Step): OrderEvent {
  const discountCents = order % 3 === 0 ? 500 : 0;
  return { orderId: `order-${order}`, step, pieces: 1 + (order % 5), discountCents };
}
