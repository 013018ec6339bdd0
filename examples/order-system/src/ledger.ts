/**
 * What a service has done, in a file of each of its instances: a line for each event, written
 * before the event counts as consumed. It stands for the database that a real service would have.
 *
 * A service that is killed between the line and the commit of its offset gets the event again, and
 * writes a second line. Whoever reads knows an event by its order and step, and counts it once.
 */

import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type OrderEvent, STEPS } from "./order-event.ts";
import { type ServiceName, SERVICES } from "./services.ts";

interface Line extends OrderEvent {
  /** When it was written, in milliseconds. */
  readonly at: number;
}

export interface Totals {
  /** Different ones. */
  readonly events: number;
  /** Lines of events that there was one of already. */
  readonly repeated: number;
  readonly amount: number;
  /** Whether each order's steps were first heard of in their order. */
  readonly isInOrder: boolean;
}

export class Ledger {
  readonly #path: string;

  constructor(folder: string, service: ServiceName) {
    this.#path = join(folder, `${service}.${process.pid}.jsonl`);
  }

  /** It is in the file when this returns. */
  write(event: OrderEvent): void {
    const at = performance.timeOrigin + performance.now();
    appendFileSync(this.#path, `${JSON.stringify({ ...event, at })}\n`);
  }
}

/** Of all instances of a service together. */
export function totalsOf(folder: string, service: ServiceName): Totals {
  const lines = readdirSync(folder)
    .filter((name) => name.startsWith(`${service}.`))
    .flatMap((name) => linesOf(join(folder, name)))
    .toSorted((a, b) => a.at - b.at);
  const seen = new Set<string>();
  const lastStep = new Map<string, number>();
  let amount = 0;
  let isInOrder = true;
  for (const event of lines) {
    const { orderId, step } = event;
    if (seen.has(`${orderId} ${step}`)) continue;
    seen.add(`${orderId} ${step}`);
    amount += SERVICES[service].amountOf(event);
    isInOrder &&= STEPS.indexOf(step) > (lastStep.get(orderId) ?? -1);
    lastStep.set(orderId, STEPS.indexOf(step));
  }
  return { events: seen.size, repeated: lines.length - seen.size, amount, isInOrder };
}

function linesOf(path: string): Line[] {
  const lines = readFileSync(path, "utf8").split("\n");
  // What a kill has cut off was not consumed: it comes again.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Line);
}
