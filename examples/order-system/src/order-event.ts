/** What is said about orders: each event is a message, in the order in which it happened. */

/** An order's life, from left to right. */
export const STEPS = ["created", "paid", "shipped", "delivered"] as const;

export type Step = (typeof STEPS)[number];

export interface OrderEvent {
  readonly orderId: string;
  readonly step: Step;
  /** That were ordered. */
  readonly pieces: number;
  /** What a coupon took off the price, in cents; 0: there was none. */
  readonly discountCents: number;
}

export const TOPIC = "order-events";
