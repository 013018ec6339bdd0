/**
 * The folder of a run that never was, as a seed draws it: data for pages and readers to stand on.
 * Clients that write, fail and give up; faults one after another and above each other; a leader
 * that changes with them; anomalies if they are wanted; and texts that are not to be read as HTML.
 */

import { Prng } from "@quorumlog/std";
import type { EventType, HistoryEvent, Value } from "../../src/history/history-event.ts";
import { RunFolderWriter } from "../../src/run/run-folder.ts";
import {
  type AnomalyRecord,
  FORMAT_VERSION,
  type NodeLine,
  type RunRecord,
  type WorkloadRecord,
} from "../../src/run/run-record.ts";
import { type FaultSpan, writeGapsOf } from "../../src/run/write-gaps.ts";

export interface SeededRun {
  readonly seed: number;
  /** Of each workload. */
  readonly operations: number;
  readonly isValid: boolean;
}

const SECOND = 1e9;
const DURATION_NS = 180 * SECOND;
const CLIENTS = 12;
const NODES = [1, 2, 3];
const FAULTS = ["kill-leader", "pause", "partition-halves", "isolate-leader", "slow-link"];

/** Ends what it stands in, wherever it is taken for more than a text. */
export const HOSTILE = `</script><img src=x onerror="document.title='broken'">`;

/** @param path - The folder, which is made. */
export function writeSeededRun(path: string, run: SeededRun): void {
  const folder = new RunFolderWriter(path);
  const names = ["append", "queue", "register"];
  const worked = names.map((name, i) =>
    writeWorkload(folder, { ...run, name, prng: new Prng(run.seed * 10 + i), firstId: i * 1_000 }),
  );
  folder.putRecord(recordOf(run, worked));
  folder.close();
}

interface Drawn {
  readonly workload: WorkloadRecord;
  readonly spans: readonly FaultSpan[];
  readonly acknowledgedAtNs: readonly number[];
}

interface WorkloadInit extends SeededRun {
  readonly name: string;
  readonly prng: Prng;
  readonly firstId: number;
}

function writeWorkload(folder: RunFolderWriter, init: WorkloadInit): Drawn {
  const { name, prng, isValid } = init;
  const spans = drawFaults(folder, init);
  drawNodes(folder, init, spans);
  const events = drawEvents(init, spans);
  for (let i = 0; i < events.length; i += 5_000) folder.addEvents(name, events.slice(i, i + 5_000));
  const count = (type: EventType): number => events.filter((event) => event.type === type).length;
  const firsts = events.filter(({ type }) => type === "ok").slice(0, 400);
  const anomaly = (kind: string): AnomalyRecord => {
    const shown = Array.from({ length: 3 }, () => firsts[prng.below(firsts.length)]);
    const indexes = shown.map((event) => event?.index ?? 0);
    return { kind, message: `${HOSTILE} was acknowledged, and is nowhere`, events: indexes };
  };
  const hasAnomalies = !isValid && name === "append";
  const workload: WorkloadRecord = {
    name,
    kind: { append: "log", queue: "broker", register: "registers" }[name] ?? "log",
    valid: !hasAnomalies,
    clientCount: CLIENTS,
    nodeIds: NODES,
    operations: { ok: count("ok"), fail: count("fail"), info: count("info") },
    counts: { acknowledged: count("ok"), recovered: 17 },
    anomalies: hasAnomalies ? [anomaly("lost"), anomaly("stale-read")] : [],
    anomalyCount: hasAnomalies ? 2 : 0,
    unknown: [],
  };
  const acknowledgedAtNs = events.filter(({ type }) => type === "ok").map(({ timeNs }) => timeNs);
  return { workload, spans, acknowledgedAtNs };
}

function drawFaults(folder: RunFolderWriter, { name, prng, firstId }: WorkloadInit): FaultSpan[] {
  const spans: FaultSpan[] = [];
  for (let ns = 10 * SECOND; ns < DURATION_NS - 30 * SECOND; ns += prng.between(6, 14) * SECOND) {
    const id = firstId + spans.length;
    const fault = FAULTS[prng.below(FAULTS.length)] ?? "";
    const endNs = ns + prng.between(2_000, 12_000) * 1e6;
    spans.push({ id, fault, beginNs: ns, endNs });
    const nodeIds = [1 + prng.below(3)];
    const line = { id, workload: name, fault, nodeIds, words: `node ${nodeIds[0]}`, evidence: "" };
    folder.addFault({ ...line, timeNs: ns, type: "begin" });
    const evidence = "12 connections went silent";
    folder.addFault({ ...line, timeNs: endNs, type: "end", evidence });
  }
  return spans;
}

function drawNodes(
  folder: RunFolderWriter,
  { name, prng }: WorkloadInit,
  spans: readonly FaultSpan[],
): void {
  const lines: NodeLine[] = [];
  let leader = 1;
  let term = 1;
  const note = (timeNs: number, state: NodeLine["state"]): void => {
    for (const nodeId of NODES) {
      const role = nodeId === leader ? "leader" : "follower";
      lines.push({
        timeNs,
        workload: name,
        nodeId,
        state: nodeId === leader ? "up" : state,
        role,
        term,
        appliedIndex: Math.floor(timeNs / 1e6),
      });
    }
  };
  note(0, "up");
  for (const { fault, beginNs, endNs } of spans) {
    if (fault === "slow-link") continue;
    leader = 1 + (leader % 3);
    term += 1 + prng.below(2);
    note(beginNs + 300e6, fault === "pause" ? "paused" : "up");
    note(endNs, "up");
  }
  for (const line of lines.toSorted((a, b) => a.timeNs - b.timeNs)) folder.addNode(line);
}

function drawEvents(
  { name, prng, operations }: WorkloadInit,
  spans: readonly FaultSpan[],
): HistoryEvent[] {
  const events: Omit<HistoryEvent, "index">[] = [];
  const action = { append: "append", queue: "publish", register: "write" }[name] ?? "append";
  const each = Math.floor(operations / CLIENTS);
  const paceNs = (DURATION_NS - 2 * SECOND) / each;
  for (let client = 0; client < CLIENTS; client++) {
    let process = client;
    for (let i = 0; i < each; i++) {
      const beginNs = Math.floor(SECOND + i * paceNs + prng.below(Math.ceil(paceNs / 8)));
      const isHit = spans.some((span) => beginNs >= span.beginNs && beginNs < span.beginNs + 4e8);
      const value: Value = i % 997 === 5 ? HOSTILE : client * 1e6 + i;
      const draw = prng.below(1_000);
      const type = isHit ? (["info", "fail", "ok"] as const)[draw % 3] : draw < 2 ? "fail" : "ok";
      const tookNs = Math.floor((isHit ? 0.6 : 0.08 + draw / 4_000) * paceNs);
      const common = { process, action };
      events.push({ ...common, timeNs: beginNs, type: "invoke", value });
      const told = type === "ok" ? [value, i] : value;
      const error = type === "ok" ? {} : { error: type === "info" ? "TIMEOUT" : "NOT_LEADER" };
      events.push({
        ...common,
        timeNs: beginNs + tookNs,
        type: type ?? "ok",
        value: told,
        ...error,
      });
      if (type === "info") process += CLIENTS;
    }
  }
  return events
    .toSorted((a, b) => a.timeNs - b.timeNs)
    .map((event, index) => ({ ...event, index }));
}

function recordOf({ seed, isValid }: SeededRun, drawn: readonly Drawn[]): RunRecord {
  const gaps = drawn.flatMap(({ workload, spans, acknowledgedAtNs }) =>
    writeGapsOf(workload.name, spans, { acknowledgedAtNs, endNs: DURATION_NS }),
  );
  const coverage = drawn.flatMap(({ workload, spans }) =>
    [...new Set(spans.map(({ fault }) => fault))].map((fault) => {
      const begun = spans.filter((span) => span.fault === fault).length;
      return {
        workload: workload.name,
        fault,
        begun,
        bit: begun,
        needed: 1,
        evidence: "led by another",
      };
    }),
  );
  const summary = isValid
    ? "No anomaly: everything that was acknowledged is there, once and in order"
    : "2 anomalies in append: what clients were told cannot all be true";
  return {
    formatVersion: FORMAT_VERSION,
    verdict: { valid: isValid, summary, reasons: isValid ? [] : ["append: 1 lost, 1 stale-read"] },
    command: `npm run jepsen -- --seed ${seed}`,
    seed,
    options: { workload: "append,queue,register", nodes: 3, note: HOSTILE },
    version: "0.0.0",
    commit: "0123456789ab",
    machine: { platform: "linux", node: "v20", cpu: "a CPU", cpuCount: 2, memoryBytes: 2 ** 33 },
    startedAt: "2026-01-01T00:00:00.000Z",
    durationNs: DURATION_NS,
    phases: [
      { name: "start", beginNs: 0, endNs: 5 * SECOND },
      { name: "faults", beginNs: 5 * SECOND, endNs: 165 * SECOND },
      { name: "recovery and final reads", beginNs: 165 * SECOND, endNs: DURATION_NS },
    ],
    workloads: drawn.map(({ workload }) => workload),
    coverage,
    gaps,
  };
}
