/** What a member's process is told, and tells. */

import type { DeliveredRange } from "./delivery-audit.ts";

export interface MemberSettings {
  readonly nameServers: readonly string[];
  readonly topic: string;
  readonly consumerGroup: string;
  readonly memberId: string;
}

export type MemberMessage =
  | { readonly type: "ready" }
  | { readonly type: "ranges"; readonly ranges: readonly DeliveredRange[] }
  /** What the consumer has told of: a word, and an error. */
  | { readonly type: "event"; readonly text: string; readonly isProblem: boolean }
  /** The last word. */
  | { readonly type: "closed" };
