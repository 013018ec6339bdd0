/** What calls ask for, as it goes into a container. */

import {
  COMMAND_HEADER_BYTES,
  COMMAND_KIND,
  commandBytes,
  type CommandDraft,
} from "./container.ts";

/** A command of records; `offset` is the expected one, or -1. */
export function recordsDraft(
  records: readonly Uint8Array[],
  { sessionId, sequence }: { readonly sessionId: number; readonly sequence: number },
  offset: number,
): CommandDraft {
  const bytes = commandBytes(records);
  // The list is the caller's, who may use it again at once; the bytes are lent.
  const own = records.slice();
  return { kind: COMMAND_KIND.records, sessionId, sequence, offset, records: own, bytes };
}

/** A command about a session. */
export function sessionDraft(kind: number, sessionId: number, sequence: number): CommandDraft {
  return { kind, sessionId, sequence, offset: 0, records: [], bytes: COMMAND_HEADER_BYTES };
}
