export { Broker } from "./broker.ts";
export type {
  BrokerEvent,
  BrokerLimits,
  BrokerOptions,
  BrokerRetention,
  BrokerRetentionLimits,
} from "./broker-options.ts";
export { RulesVersionError } from "./state/rules.ts";
export { giveHeapHeadroom } from "./heap-headroom.ts";
