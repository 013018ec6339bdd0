/** The thread that writes and syncs what stands in the ring, for the spike. */

import { fdatasyncSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

const ring = Buffer.from(workerData as ArrayBuffer);

parentPort?.on("message", (job: { fd: number; bytes: number; position: number }) => {
  writeSync(job.fd, ring, 0, job.bytes, job.position);
  fdatasyncSync(job.fd);
  parentPort?.postMessage(0);
});
