/** Four services that know nothing of each other: each listens to what it needs. */

import type { OrderEvent } from "./order-event.ts";

export interface Service {
  /** Which steps it hears of: a tag expression. */
  readonly tags: string;
  /** What the service is about, added up over all events. */
  readonly counts: string;
  readonly amountOf: (event: OrderEvent) => number;
  /** How long it takes for one event, in milliseconds. */
  readonly workMs: number;
}

export type ServiceName = "stock" | "coupon" | "logistics" | "notification";

export const SERVICES: Readonly<Record<ServiceName, Service>> = {
  stock: {
    tags: "created",
    counts: "pieces reserved",
    amountOf: ({ pieces }) => pieces,
    workMs: 0,
  },
  coupon: {
    tags: "paid",
    counts: "cents granted",
    amountOf: ({ discountCents }) => discountCents,
    workMs: 0,
  },
  logistics: {
    tags: "shipped || delivered",
    counts: "pieces moved",
    amountOf: ({ pieces }) => pieces,
    workMs: 0,
  },
  // Mail is slow: one instance falls behind.
  notification: { tags: "*", counts: "mails sent", amountOf: () => 1, workMs: 20 },
};

export const SERVICE_NAMES = Object.keys(SERVICES) as readonly ServiceName[];
