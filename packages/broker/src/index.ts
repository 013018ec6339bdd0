export { Broker } from "./broker.ts";
export type { BrokerOptions } from "./broker-options.ts";
