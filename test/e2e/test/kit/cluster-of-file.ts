/** One cluster for all tests of a file: to start it takes longer than most of them. */

import { afterAll, afterEach, beforeAll, vi } from "vitest";
import { ProcessCluster } from "../../src/kit/process-cluster.ts";

const PATIENCE_MS = 120_000;

/** To be called once, at the top of the file. @returns the cluster, while tests run. */
export function clusterOfFile(
  options: Parameters<typeof ProcessCluster.start>[0] = {},
): () => ProcessCluster {
  // What hangs is found by the kit, with a word on what was waited for.
  vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });
  let cluster: ProcessCluster | undefined;
  beforeAll(async () => {
    cluster = await ProcessCluster.start(options);
  });
  afterEach(({ task }) => {
    if (task.result?.state === "fail") console.error(cluster?.describe());
  });
  afterAll(() => cluster?.stop());
  return () => {
    if (cluster === undefined) throw new Error("the cluster runs while tests do");
    return cluster;
  };
}
