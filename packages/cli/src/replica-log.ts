/** What a node's operator has to know of its replica, as it happens: a line of JSON on stderr. */

import type { ReplicaEvent } from "@quorumlog/replica";
import { EXIT } from "./failure.ts";

/** A replica that has failed does not come back within this process. */
export function tellEvent({ type, ...fields }: ReplicaEvent): void {
  console.error(JSON.stringify({ at: new Date().toISOString(), event: type, ...fields }, plain));
  if (type === "failed") process.exit(EXIT.defect);
}

/** Of an error, what a reader of a log looks for. */
function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { message, code, cause } = value as Error & { readonly code?: string };
  return { code, message, ...(cause instanceof Error ? { cause: cause.message } : {}) };
}
