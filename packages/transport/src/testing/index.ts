export { freePort } from "./free-port.ts";
export {
  type LinkBytes,
  type LinkDirection,
  type LinkEnds,
  LinkProxy,
  openLinkProxy,
} from "./link-proxy.ts";
export { MemoryNetwork, type MemoryNetworkInit } from "./memory-network.ts";
export type { MemoryLimits } from "./memory-peer.ts";
export type { LatencyRange } from "./memory-way.ts";
export { type ReceivedFrame, Recorder } from "./recorder.ts";
export { type CertifiedKey, TestAuthority } from "./test-authority.ts";
export {
  type TransportCase,
  transportContract,
  type TransportHarness,
} from "./transport-contract.ts";
export { VirtualTime } from "./virtual-time.ts";
