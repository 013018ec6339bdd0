/** The folder of a run: written while it goes on, so that a run that is cut leaves what it has. */

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { toEdnLine } from "../history/edn-line.ts";
import type { HistoryEvent } from "../history/history-event.ts";
import { toJsonLine } from "../history/history-file.ts";
import { readHistory } from "../history/history-reader.ts";
import { demandShape, RunFolderError } from "./line-shape.ts";
import { type FaultLine, FORMAT_VERSION, type NodeLine, type RunRecord } from "./run-record.ts";

export class RunFolderWriter {
  readonly path: string;
  /** By names of files. */
  readonly #descriptors = new Map<string, number>();

  /** @param path - Made if it is not there; files of an earlier run in it are written over. */
  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    this.#append("faults.jsonl", "");
    this.#append("nodes.jsonl", "");
  }

  /** Behind those that are there; returns when the operating system has them. */
  addEvents(workload: string, events: readonly HistoryEvent[]): void {
    this.#append(`history-${workload}.jsonl`, linesOf(events, toJsonLine));
    this.#append(
      `history-${workload}.edn`,
      linesOf(events, (event) => toEdnLine(workload, event)),
    );
  }

  addFault(line: FaultLine): void {
    this.#append("faults.jsonl", `${JSON.stringify(line)}\n`);
  }

  addNode(line: NodeLine): void {
    this.#append("nodes.jsonl", `${JSON.stringify(line)}\n`);
  }

  /** All of it; a verdict names only how it begins. */
  addProblem(text: string): void {
    this.#append("problems.txt", `${text}\n\n`);
  }

  /** The whole record, or the former one. */
  putRecord(record: RunRecord): void {
    const path = join(this.path, "run.json");
    writeFileSync(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`);
    renameSync(`${path}.new`, path);
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }

  #append(name: string, text: string): void {
    let descriptor = this.#descriptors.get(name);
    if (descriptor === undefined) {
      descriptor = openSync(join(this.path, name), "w");
      this.#descriptors.set(name, descriptor);
    }
    if (text !== "") writeSync(descriptor, text);
  }
}

/** A folder as it was written; histories are read when they are asked for, as they are large. */
export class RunFolder {
  readonly path: string;
  readonly record: RunRecord;
  readonly faults: readonly FaultLine[];
  readonly nodes: readonly NodeLine[];

  /** @throws RunFolderError if it is none, or says what nobody understands. */
  constructor(path: string) {
    this.path = path;
    if (!existsSync(join(path, "run.json")))
      throw new RunFolderError(`${path}: there is no run.json, so this is no folder of a run`);
    this.record = readRecord(join(path, "run.json"));
    this.faults = readLines<FaultLine>(join(path, "faults.jsonl"), FAULT_SHAPES);
    this.nodes = readLines<NodeLine>(join(path, "nodes.jsonl"), NODE_SHAPES);
  }

  /** @throws HistoryError which names the line that is none. */
  history(workload: string): HistoryEvent[] {
    const path = join(this.path, `history-${workload}.jsonl`);
    return existsSync(path) ? readHistory(path) : [];
  }
}

const RECORD_SHAPES = {
  formatVersion: { oneOf: [FORMAT_VERSION] },
  verdict: "object",
  command: "text",
  seed: "count",
  options: "object",
  version: "text",
  commit: "text",
  machine: "object",
  startedAt: "text",
  durationNs: "count",
  phases: "list",
  workloads: "list",
  coverage: "list",
  gaps: "list",
} as const;

const WORKLOAD_SHAPES = {
  name: "text",
  kind: "text",
  valid: { oneOf: [true, false, "unknown"] },
  clientCount: "count",
  nodeIds: "list",
  operations: "object",
  counts: "object",
  anomalies: "list",
  anomalyCount: "count",
  unknown: "list",
} as const;

const FAULT_SHAPES = {
  timeNs: "count",
  type: { oneOf: ["begin", "end"] },
  id: "count",
  workload: "text",
  fault: "text",
  nodeIds: "list",
  words: "text",
  evidence: "text",
} as const;

const NODE_SHAPES = {
  timeNs: "count",
  workload: "text",
  nodeId: "count",
  state: { oneOf: ["up", "paused", "down"] },
  role: "text",
  term: "count",
  appliedIndex: "count",
} as const;

function readRecord(path: string): RunRecord {
  const record = demandShape<RunRecord>(
    parseJson(readFileSync(path, "utf8"), path),
    RECORD_SHAPES,
    path,
  );
  for (const [i, workload] of record.workloads.entries())
    demandShape(workload, WORKLOAD_SHAPES, `${path}: workload ${i + 1}`);
  return record;
}

function readLines<T>(path: string, shapes: Parameters<typeof demandShape<T>>[1]): T[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .map((text, i) => ({ text, at: `${path}: line ${i + 1}` }))
    .filter(({ text }) => text !== "")
    .map(({ text, at }) => demandShape<T>(parseJson(text, at), shapes, at));
}

function parseJson(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RunFolderError(`${at}: this is no JSON`, { cause });
  }
}

function linesOf(events: readonly HistoryEvent[], toLine: (event: HistoryEvent) => string): string {
  return events.map((event) => `${toLine(event)}\n`).join("");
}
