/** For whoever names the directory of a node, and not that of one of its logs. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { nodeFileSystem } from "../node-file-system.ts";
import { segmentNamesIn } from "./segment-file.ts";

/** @returns the folders that hold a log, two levels below, as `group-0/log` of a replica is. */
export function logsBelow(directory: string): readonly string[] {
  return foldersIn(directory).flatMap((name) =>
    foldersIn(join(directory, name))
      .map((inner) => join(name, inner))
      .filter((path) => segmentNamesIn(nodeFileSystem, join(directory, path)).length > 0),
  );
}

function foldersIn(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}
