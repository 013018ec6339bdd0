/** What happens at a NameServer, for logs and metrics. */

import type { OperationError } from "@quorumlog/protocol";

export type NameServerEvent =
  | NodeEvent<"registered", { readonly groupId: number; readonly address: string }>
  | NodeEvent<"left", { readonly reason: LeaveReason }>
  | {
      /** A route or the metadata; watchers have been told. */
      readonly type: "changed";
      readonly clusterId: string;
      readonly nodeCount: number;
      readonly metadataVersion: number;
    }
  | {
      /** A call was ended with an error of its own making. */
      readonly type: "refused";
      /** Of the client, as `host:port`. */
      readonly peer: string;
      readonly error: OperationError;
    };

/** Its stream ended; nothing was heard of it; another stream has registered it. */
export type LeaveReason = "ended" | "expired" | "replaced";

type NodeEvent<Type, Fields> = {
  readonly type: Type;
  readonly clusterId: string;
  readonly nodeId: number;
} & Fields;

export type NameServerListener = (event: NameServerEvent) => void;
