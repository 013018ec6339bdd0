// To run one.
export { NameServer } from "./name-server.ts";
export type { LeaveReason, NameServerEvent, NameServerListener } from "./name-server-event.ts";
export {
  LIMIT_BOUNDS,
  type LimitBounds,
  type NameServerLimits,
  type NameServerOptions,
  type NameServerSurroundings,
} from "./name-server-options.ts";

// For brokers, who tell it, and for clients, who are told.
export {
  BrokerRegistration,
  type BrokerRegistrationEvent,
  type BrokerRegistrationOptions,
  type NodeRegistration,
} from "./broker-registration.ts";
export type {
  Cluster,
  ClusterMetadata,
  ConfigurationEntry,
  GroupRoute,
  GroupView,
  NodeRoute,
  Registration,
  TopicRoute,
} from "./cluster.ts";
export { ClusterWatch, type ClusterWatchEvent, type ClusterWatchOptions } from "./cluster-watch.ts";
export type { ReconnectBounds } from "./reconnect-delay.ts";
