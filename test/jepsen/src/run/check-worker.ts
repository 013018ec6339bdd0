/**
 * A thread that checks a history which was written so far, or to its end: the harness has proxies
 * to serve, and must not stand still meanwhile.
 */

import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { parseHistory } from "../history/history-file.ts";
import { workloadNamed } from "../workload/all-workloads.ts";
import type { CheckTask } from "./background-check.ts";

const { path, workload } = workerData as CheckTask;
const text = readFileSync(path, "utf8");
// Of a file that is written to, the last line may be a part of one.
const events = parseHistory(text.slice(0, text.lastIndexOf("\n") + 1));
parentPort?.postMessage(workloadNamed(workload).check(events));
