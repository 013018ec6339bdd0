import { BROKER_PART } from "./broker-part.ts";
import { CORE_PART } from "./core-part.ts";
import type { GuardPart } from "./guard-part.ts";
import { LOG_PART } from "./log-part.ts";
import { REPLICA_PART } from "./replica-part.ts";

/** What the guard measures, from the inside to the outside. */
export const GUARD_PARTS: readonly GuardPart[] = [CORE_PART, LOG_PART, REPLICA_PART, BROKER_PART];
