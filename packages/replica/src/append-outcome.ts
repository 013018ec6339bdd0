/** What a caller is told of an append that was applied; and the checks before one. */

import type { CommandResult } from "./group-state.ts";
import { ReplicaError } from "./replica-error.ts";

/** @throws ReplicaError for every result but a stored one. */
export function demandAppended(
  result: CommandResult | undefined,
  expectedOffset: number,
): Extract<CommandResult, { readonly status: "appended" }> {
  switch (result?.status) {
    case "appended":
      return result;
    case "mismatch": {
      const { nextOffset } = result;
      const message = `expectedOffset: ${expectedOffset}, but the log goes on at ${nextOffset}`;
      throw new ReplicaError("OFFSET_MISMATCH", message, { nextOffset });
    }
    case "expired":
      throw new ReplicaError("SESSION_EXPIRED", "there is no such session any more: open one", {
        // An earlier attempt may have been stored while there was.
        outcome: "unknown",
      });
    case "gap":
      throw new ReplicaError("SEQUENCE_GAP", "an append of the session before this is missing");
    case "too-old":
      throw new ReplicaError(
        "SEQUENCE_TOO_OLD",
        "what became of it is forgotten: it is too long ago",
        {
          outcome: "unknown",
        },
      );
    default:
      throw new ReplicaError("FAILED", "the append was applied, and has no result", {
        outcome: "unknown",
      });
  }
}

/** @throws ReplicaError `INVALID_ARGUMENT`, naming the argument and the bound. */
export function demandRecords(
  name: string,
  records: readonly Uint8Array[],
  bytesMax: number,
): void {
  let bytes = 0;
  if (!Array.isArray(records) || records.length === 0)
    throw new ReplicaError("INVALID_ARGUMENT", `${name}: neither bytes nor a list with any`);
  for (const record of records) {
    if (!(record instanceof Uint8Array))
      throw new ReplicaError("INVALID_ARGUMENT", `${name}: one of them is no Uint8Array`);
    bytes += record.byteLength + 4;
  }
  if (bytes <= bytesMax) return;
  const message = `${name}: ${bytes} bytes are more than callBytesMax, ${bytesMax}`;
  throw new ReplicaError("INVALID_ARGUMENT", message);
}

/** @throws ReplicaError `INVALID_ARGUMENT`, naming the argument and its bounds. */
export function demandInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new ReplicaError("INVALID_ARGUMENT", `${name}: ${value} is not in [${min}, ${max}]`);
}

/**
 * @param place - Of an append in a session: a number that is none would make the entry that it
 *   shares with others unreadable.
 * @throws ReplicaError `INVALID_ARGUMENT`, naming the argument and its bounds.
 */
export function demandPlace(place: {
  readonly sessionId: number;
  readonly sequence: number;
}): void {
  demandInteger("sessionId", place.sessionId, 1, Number.MAX_SAFE_INTEGER);
  demandInteger("sequence", place.sequence, 1, Number.MAX_SAFE_INTEGER);
}
