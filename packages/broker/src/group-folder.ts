/**
 * A broker's directory belongs to one broker group: beside the group's folder there is an index of
 * its queues. Another group id would begin an empty group there, and take the index for its own.
 */

import { join } from "node:path";
import type { FileSystem } from "@quorumlog/log";
import { OperationError } from "@quorumlog/protocol";

const GROUP_FOLDER = /^group-(?<groupId>\d+)$/u;

/** @throws OperationError `INVALID_ARGUMENT` if it holds the log of another group */
export function demandGroup(fileSystem: FileSystem, directory: string, groupId: number): void {
  const others = (fileSystem.list(directory) ?? [])
    .flatMap((name) => GROUP_FOLDER.exec(name)?.groups?.["groupId"] ?? [])
    .filter((found) => Number(found) !== groupId)
    .filter((found) => fileSystem.list(join(directory, `group-${found}`, "log")) !== undefined);
  if (others.length === 0) return;
  const owner = `broker group ${others.join(", ")}`;
  const problem = `${directory} belongs to ${owner}, and not to ${groupId}`;
  throw new OperationError("INVALID_ARGUMENT", `groupId: ${problem}`, {
    problems: [{ field: "groupId", problem }],
  });
}
