/** Turns a run's folder into what its page shows. */

import type { Operation } from "../history/history-event.ts";
import { outcomeOf } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import type { RunFolder } from "../run/run-folder.ts";
import type { FaultLine, RunRecord, WorkloadRecord } from "../run/run-record.ts";
import { columnsOf } from "./operation-columns.ts";
import type {
  AnomalyData,
  AnomalyOperation,
  FaultData,
  NodeData,
  NodeSpan,
  ReportData,
  WorkloadData,
} from "./page/report-data.ts";

/** Of an anomaly: a search's way to it may be long, and its end is what tells. */
const ANOMALY_OPERATIONS_MAX = 40;
/** Of a value as JSON: a poll may have thousands of messages. */
const VALUE_LENGTH_MAX = 400;

/** @throws HistoryError if a history is none. */
export function buildReport(folder: RunFolder): ReportData {
  const { record } = folder;
  const { verdict, command, startedAt, durationNs, phases, coverage } = record;
  return {
    title: `quorumlog: ${record.workloads.map(({ name }) => name).join(", ")}, seed ${record.seed}`,
    valid: verdict.valid,
    summary: verdict.summary,
    reasons: verdict.reasons,
    command,
    startedAt,
    durationNs,
    facts: factsOf(record),
    phases,
    workloads: record.workloads.map((workload) => workloadData(folder, workload)),
    coverage,
  };
}

function factsOf({ seed, options, version, commit, machine }: RunRecord): [string, string][] {
  const { platform, node, cpu, cpuCount, memoryBytes } = machine;
  return [
    ["seed", String(seed)],
    ["version", commit === "" ? version : `${version}, commit ${commit}`],
    ["machine", `${cpuCount} x ${cpu}, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${platform}`],
    ["Node.js", node],
    ...Object.entries(options).map(([name, value]): [string, string] => [name, String(value)]),
  ];
}

function workloadData(folder: RunFolder, workload: WorkloadRecord): WorkloadData {
  const { name, kind, valid, counts, operations, anomalyCount, unknown, clientCount } = workload;
  const { durationNs } = folder.record;
  const history = operationsOf(folder.history(name));
  return {
    name,
    kind,
    valid,
    counts: Object.entries(counts),
    operations,
    anomalies: anomaliesOf(workload, history),
    anomalyCount,
    unknown,
    clientCount: Math.max(1, clientCount),
    columns: columnsOf(history, durationNs),
    faults: faultsOf(folder, name),
    nodes: nodesOf(folder, workload),
  };
}

function anomaliesOf({ anomalies }: WorkloadRecord, history: readonly Operation[]): AnomalyData[] {
  const wanted = new Set(anomalies.flatMap(({ events }) => events));
  const byEvent = new Map<number, Operation>();
  for (const operation of history)
    for (const event of [operation.invoke, operation.completion])
      if (event !== undefined && wanted.has(event.index)) byEvent.set(event.index, operation);
  return anomalies.map(({ kind, message, events }) => {
    const operations = new Set(
      events.flatMap((event) => byEvent.get(event) ?? []).slice(-ANOMALY_OPERATIONS_MAX),
    );
    return { kind, message, operations: [...operations].map((each) => anomalyOperation(each)) };
  });
}

function anomalyOperation(operation: Operation): AnomalyOperation {
  const { invoke, completion } = operation;
  const outcome = outcomeOf(operation);
  return {
    event: invoke.index,
    process: String(invoke.process),
    beginNs: invoke.timeNs,
    endNs: completion?.timeNs ?? null,
    action: invoke.action,
    outcome: completion?.error === undefined ? outcome : `${outcome}: ${completion.error}`,
    asked: shortJson(invoke.value),
    told: completion === undefined ? "" : shortJson(completion.value),
  };
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (text.length <= VALUE_LENGTH_MAX) return text;
  return `${text.slice(0, VALUE_LENGTH_MAX)}... (${text.length} characters)`;
}

function faultsOf({ faults, record }: RunFolder, workload: string): FaultData[] {
  const lines = faults.filter((line) => line.workload === workload);
  const ends = new Map(lines.filter(({ type }) => type === "end").map((line) => [line.id, line]));
  const gaps = new Map(
    record.gaps.filter((gap) => gap.workload === workload).map((gap) => [gap.faultId, gap]),
  );
  return lines
    .filter(({ type }) => type === "begin")
    .map((begin) => {
      const end: FaultLine | undefined = ends.get(begin.id);
      const gap = gaps.get(begin.id);
      return {
        id: begin.id,
        name: begin.fault,
        beginNs: begin.timeNs,
        endNs: end?.timeNs ?? record.durationNs,
        nodes: begin.nodeIds.join(", "),
        words: begin.words,
        evidence: end?.evidence ?? "",
        gap: gap === undefined ? null : { duringNs: gap.duringNs, afterNs: gap.afterNs },
      };
    })
    .toSorted((a, b) => a.beginNs - b.beginNs);
}

function nodesOf({ nodes, record }: RunFolder, { name, nodeIds }: WorkloadRecord): NodeData[] {
  const lines = nodes.filter(({ workload }) => workload === name);
  const ids = new Set([...nodeIds, ...lines.map(({ nodeId }) => nodeId)]);
  return [...ids]
    .toSorted((a, b) => a - b)
    .map((nodeId) => {
      const spans: { -readonly [Key in keyof NodeSpan]: NodeSpan[Key] }[] = [];
      for (const line of lines.filter((each) => each.nodeId === nodeId)) {
        const { timeNs: beginNs, term, appliedIndex } = line;
        const state = line.state === "up" ? line.role : line.state;
        const last = spans.at(-1);
        if (last !== undefined) last.endNs = beginNs;
        if (last?.state === state && last.term === term) last.appliedIndex = appliedIndex;
        else spans.push({ beginNs, endNs: record.durationNs, state, term, appliedIndex });
      }
      const last = spans.at(-1);
      if (last !== undefined) last.endNs = Math.max(last.beginNs, record.durationNs);
      return { nodeId, spans };
    });
}
