export { Broker } from "./broker.ts";
export type {
  BrokerLimits,
  BrokerOptions,
  BrokerRetention,
  BrokerRetentionLimits,
} from "./broker-options.ts";
