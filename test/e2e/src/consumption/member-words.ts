/** What a member's process is told as it starts, and what it says. */

import type { PushConsumerEvent, PushConsumerOptions, QueueName } from "@quorumlog/client";

/** All but what has to be said in its own process. */
export interface MemberOptions extends Omit<
  PushConsumerOptions,
  "listener" | "onEvent" | "signal" | "tls"
> {
  readonly instanceId: string;
  /** How long each message takes; default 0. */
  readonly listenMs?: number;
}

/** A message as it was handed out. */
export interface HandedOut {
  readonly topic: string;
  readonly queue: number;
  readonly offset: number;
  readonly fencingToken: number;
  readonly body: string;
}

export type MemberWord =
  | { readonly type: "ready" }
  | ({ readonly type: "message" } & HandedOut)
  | {
      readonly type: "event";
      readonly event: PushConsumerEvent["type"];
      readonly error?: string;
      /** Of `assigned`: all that it has from now on. */
      readonly queues?: readonly QueueName[];
    }
  | { readonly type: "closed" };
