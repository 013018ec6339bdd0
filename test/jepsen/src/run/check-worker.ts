/**
 * A thread that checks a history which was written so far, or to its end: the harness has proxies
 * to serve, and must not stand still meanwhile.
 */

import { parentPort, workerData } from "node:worker_threads";
import { readHistory } from "../history/history-reader.ts";
import { workloadNamed } from "../workload/all-workloads.ts";
import type { CheckTask } from "./background-check.ts";

const { path, workload } = workerData as CheckTask;
const events = readHistory(path, { isGrowing: true });
parentPort?.postMessage(workloadNamed(workload).check(events));
