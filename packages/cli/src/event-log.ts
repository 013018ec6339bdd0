/** What the operator of a process has to know, as it happens: a line of JSON on stderr. */

import type { BrokerEvent } from "@quorumlog/broker";
import type { NameServerEvent } from "@quorumlog/nameserver";
import { EXIT } from "./failure.ts";

/** A replica that has failed does not come back within this process. */
export function tellEvent({ type, ...fields }: BrokerEvent | NameServerEvent): void {
  tell(type, fields);
  if (type === "failed") process.exit(EXIT.defect);
}

/** Reads go on from memory; nothing is lost, and a restart takes longer. */
export function tellIndexFailure(error: Error): void {
  tell("indexFailed", { error });
}

function tell(event: string, fields: object): void {
  console.error(JSON.stringify({ at: new Date().toISOString(), event, ...fields }, plain));
}

/** Of an error, what a reader of a log looks for. */
function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { message, code, cause } = value as Error & { readonly code?: string };
  return { code, message, ...(cause instanceof Error ? { cause: cause.message } : {}) };
}
