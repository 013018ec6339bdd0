// What a user of the transport needs.
export {
  type Address,
  AddressError,
  formatAddress,
  parseAddress,
  parseListenAddress,
} from "./address.ts";
export { openTcpTransport, TcpTransport, type TcpTransportInit } from "./tcp-transport.ts";
export type {
  GroupLink,
  GroupReceiver,
  Lane,
  NodeId,
  PeerIdentity,
  Transport,
} from "./transport.ts";
export { type PeerErrorCode, TransportError, type TransportErrorCode } from "./transport-error.ts";
export type { Log, LogFields, LogLevel } from "./transport-log.ts";
export {
  parseTransportOptions,
  type TransportLimits,
  type TransportOptions,
  TransportOptionsError,
  type TransportTls,
} from "./transport-options.ts";
export type {
  BadConnection,
  DroppedFrames,
  PeerStatus,
  TransportCounters,
  TransportStatus,
} from "./transport-status.ts";

// For other packages of the project.
export type { Scheduler } from "./scheduler.ts";
