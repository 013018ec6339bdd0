/** A cluster that `quorumlog up` has started for a test. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { quorumlog, Running, until } from "./quorumlog.ts";

export interface Up {
  readonly running: Running;
  readonly nameServer: string;
}

interface Plan {
  readonly nameServers: readonly string[];
}

/** Until every node answers, and each group has a leader. */
export async function startUp(dataDir: string, more: readonly string[] = []): Promise<Up> {
  const running = new Running(["up", "--data", dataDir, "--port", "0", ...more]);
  await running.line(/A cluster is up/u);
  const plan = JSON.parse(readFileSync(join(dataDir, "cluster.json"), "utf8")) as Plan;
  const nameServer = plan.nameServers[0] ?? "";
  await until("every node answers", async () => {
    const { code } = await quorumlog(["cluster", "status", "--name-servers", nameServer]);
    return code === 0;
  });
  return { running, nameServer };
}
