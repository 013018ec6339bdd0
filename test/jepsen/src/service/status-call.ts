/**
 * `status {}`: {nodeId, role, leaderId}. Asks for nothing, so it tells whether anybody is there.
 */

import type { GroupStatus } from "@quorumlog/replica";
import type { Calls } from "./call-server.ts";

export interface StatusSource {
  status(): Pick<GroupStatus, "nodeId" | "role" | "leaderId">;
}

export function statusCall(group: StatusSource): Calls[string] {
  return () => {
    const { nodeId, role, leaderId = null } = group.status();
    return { nodeId, role, leaderId };
  };
}
