/** How a broker's node is told who and where it is. */

import type { RpcTls } from "@quorumlog/protocol";
import type { MachineOptions, ReplicaEventListener } from "@quorumlog/replica";

export interface BrokerOptions {
  /** Where clients reach this node, as `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls?: RpcTls;
  /** Where clients are told to reach it, as `host:port`; default where it listens. */
  readonly advertise?: string;
  /** Each of them is told of this node, as `host:port`; default none. */
  readonly nameServers?: readonly string[];
  /** Of the broker group; 1, the default, has the cluster's metadata, too. */
  readonly groupId?: number;
  /** Of the broker group; default `broker-a`. */
  readonly groupName?: string;
  /** The group's nodes, this one's disk, and how they talk to each other. */
  readonly replica: Omit<MachineOptions, "checkpoint" | "groupId" | "onEvent">;
  /** The index of queues could not be written: it is in memory, and made again after a restart. */
  readonly onIndexFailure?: (error: Error) => void;
  readonly onEvent?: ReplicaEventListener;
  /** A defect has shown: the process should log it and end. */
  readonly onDefect: (error: unknown) => void;
}
