/** What the operator of a process has to know, as it happens: a line of JSON on stderr. */

import type { BrokerEvent } from "@quorumlog/broker";
import type { NameServerEvent } from "@quorumlog/nameserver";
import { EXIT, failureOf, tellFailure } from "./failure.ts";

/** No defect, and no disk: it is as well as it was, in a version that knows what it has met. */
const OF_LATER_VERSIONS: ReadonlySet<unknown> = new Set(["RULES_VERSION", "STATE_VERSION"]);

/** A replica that has failed does not come back within this process. */
export function tellEvent(event: BrokerEvent | NameServerEvent): void {
  const { type, ...fields } = event;
  tell(type, fields);
  if (event.type === "failed") endFailed(event.error);
}

function endFailed(error: Error & { readonly code?: unknown }): never {
  if (!OF_LATER_VERSIONS.has(error.code)) process.exit(EXIT.defect);
  tellFailure(false, failureOf(error));
  process.exit(EXIT.failed);
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
