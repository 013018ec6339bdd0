/** How far a consumer group is, a row for each queue. */

import type { GroupQueueOffset } from "@quorumlog/client";
import { tableOf } from "./table.ts";
import { timeText } from "./time-text.ts";

export function offsetTable(offsets: readonly GroupQueueOffset[]): string {
  const heads = ["topic", "queue", "committed", "end", "lag", "committed at", "member"];
  const rows = offsets.map(
    ({ topic, queue, committedOffset, endOffset, lag, committedAt, memberId, lease }) => {
      const member = lease === undefined ? (memberId ?? "") : `${lease.memberId} (lease)`;
      return [topic, queue, committedOffset ?? "-", endOffset, lag, timeText(committedAt), member];
    },
  );
  return tableOf(heads, rows);
}
