/** Scenario: bytes of a minority's files rot: as a node starts, and under a node that runs. */

import type { ReplicaTuning } from "@quorumlog/replica";
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { CallError, type NodeProcess } from "../node-process.ts";
import { type ErrorReport, EXIT_CODE } from "../node-protocol.ts";
import { sleep, until } from "../patience.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

const ROUND_COUNT = { short: 2, full: 30 } as const;
/** Reads of old offsets go to the files. */
const TUNING: Partial<ReplicaTuning> = {
  segmentBytes: 65_536,
  snapshotEveryBytes: 131_072,
  tailBytesMax: 65_536,
};
/** Short, as every new life takes it over. */
const RETENTION_BYTES = 1024 * 1024;
const SEGMENT_COUNT_MIN = 6;
const RECORD_BYTES = 2_000;
const READ_BYTES = 65_536;
const OPEN_TIMEOUT_MS = 30_000;
const FILL_TIMEOUT_MS = 30_000;
const STUCK_MS = 3_000;

/** Errors that are about more than a place in a file. */
const WITHOUT_OFFSET: ReadonlySet<string> = new Set(["LOG_SEGMENT_MISSING", "LOG_MISSING"]);

async function runAtStart(context: PartContext): Promise<PartResult> {
  const { form, prng } = context;
  const cluster = await context.startCluster({ tuning: TUNING, retentionBytes: RETENTION_BYTES });
  for (let round = 1; round <= ROUND_COUNT[form]; round++) {
    context.keepLoad({ recordBytes: RECORD_BYTES });
    const victim = await cluster.follower();
    const { nodeId } = victim;
    await segmentsOf(context, victim);
    await victim.kill();
    const path = prng.pick(filesOf(cluster.directoryOf(nodeId)));
    const what = prng.chance(0.3) ? truncate(context, path) : flip(context, path);
    const node = await cluster.launch(nodeId);
    const isOpen = await opens(node);
    if (isOpen) await demandHarmless(context, node, what);
    else {
      const end = await node.ended();
      // What it applies first is read when it is open.
      const { open, service } = { open: EXIT_CODE.cannotOpen, service: EXIT_CODE.failed };
      const isClear = end.exitCode === (end.fatal?.during === "open" ? open : service);
      context.demand(isClear, `${what}: ${node.describeEnd()}`);
      if (end.fatal !== undefined) demandPlace(context, end.fatal.error, { what, path });
      context.count(`ended, ${end.fatal?.during}: ${end.fatal?.error.code}`);
    }
    await goesOn(context);
    if (!node.hasEnded) await node.kill();
    await cluster.replaceLife(nodeId);
    context.count("replaced lives");
    context.progress(`${round} of ${ROUND_COUNT[form]}, ${what}`);
  }
  await context.check(Number.POSITIVE_INFINITY);
  return context.result();
}

async function runAtRead(context: PartContext): Promise<PartResult> {
  const { form, prng } = context;
  const cluster = await context.startCluster({ tuning: TUNING, retentionBytes: RETENTION_BYTES });
  for (let round = 1; round <= ROUND_COUNT[form]; round++) {
    context.keepLoad({ recordBytes: RECORD_BYTES });
    const victim = await cluster.follower();
    await segmentsOf(context, victim);
    await context.stopLoad();
    // The last ones may be in memory, or be made ahead.
    const path = prng.pick((await segmentsOf(context, victim)).slice(0, -3));
    const what = flip(context, path);
    const errors = await readAll(context, victim, what);
    for (const error of errors) demandPlace(context, error, { what, path });
    context.count(errors.length > 0 ? "noticed as it was read" : "unnoticed, harmless");
    if (errors.length === 0) await context.check(Number.POSITIVE_INFINITY);
    if (!victim.hasEnded) await victim.kill();
    context.keepLoad({ recordBytes: RECORD_BYTES });
    await cluster.replaceLife(victim.nodeId);
    context.progress(`${round} of ${ROUND_COUNT[form]}, ${what}`);
  }
  await context.check(Number.POSITIVE_INFINITY);
  return context.result();
}

/** It opened in spite of the damage: then nothing that it gives out may be wrong. */
async function demandHarmless(
  context: PartContext,
  node: NodeProcess,
  what: string,
): Promise<void> {
  const errors = await readAll(context, node, what);
  if (errors.length > 0) {
    for (const { code, file } of errors)
      context.demand(
        code === "LOG_CORRUPT" && file !== undefined,
        `${what}: read gives ${code} of ${file}`,
      );
    context.count("opened, noticed as it was read");
    return;
  }
  if (await hasLostTail(context, node)) {
    context.count("opened, lost a tail that no mark covered");
    await context.stopLoad();
    return;
  }
  context.count("opened, harmless");
  await context.check(Number.POSITIVE_INFINITY);
}

/**
 * Damage in the last batch that was written looks as if a crash had torn it, and is cut. The leader
 * knows better, and has nothing for a node that lacks what it had acknowledged: it stands still.
 */
async function hasLostTail({ cluster }: PartContext, node: NodeProcess): Promise<boolean> {
  const { nodeId } = node;
  const startedAt = performance.now();
  return until(`node ${nodeId} catches up, or never`, FILL_TIMEOUT_MS, async () => {
    const leader = await (await cluster.leader()).call("status", undefined);
    const { lastIndex, appliedIndex } = await node.call("status", undefined);
    const view = leader.progress.find(({ id }) => id === nodeId);
    if (view?.state === "replicate" && appliedIndex >= view.matchIndex - 1) return false;
    const isStuck = view !== undefined && view.matchIndex > lastIndex;
    return isStuck && performance.now() - startedAt > STUCK_MS ? true : undefined;
  });
}

/** Reads a node's whole log. @returns the errors, if it gives no bytes: never wrong ones. */
async function readAll(
  context: PartContext,
  node: NodeProcess,
  what: string,
): Promise<ErrorReport[]> {
  const { firstOffset, nextOffset } = await node.call("status", undefined);
  const errors: ErrorReport[] = [];
  for (let from = firstOffset; from < nextOffset;) {
    try {
      const summary = await node.call("read", { from, maxBytes: READ_BYTES });
      context.demand(summary.wrong.length === 0, `${what}: wrong bytes at ${summary.wrong.join()}`);
      from = summary.nextOffset;
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (error.report.code === "TRIMMED") {
        from = (await node.call("status", undefined)).firstOffset;
        continue;
      }
      errors.push(error.report);
      from += 8;
    }
  }
  return errors;
}

function demandPlace(
  context: PartContext,
  error: ErrorReport,
  { what, path }: { readonly what: string; readonly path: string },
): void {
  const { code, file, offset, message } = error;
  const hasPlace = offset !== undefined || WITHOUT_OFFSET.has(code ?? "");
  const isNode = basename(path) === "node.json" && message.includes(path);
  const isRight = file !== undefined && (file === path || WITHOUT_OFFSET.has(code ?? ""));
  context.demand(
    isNode || (hasPlace && isRight),
    `${what}: the error is ${code} of ${file} at ${offset}: ${message}`,
  );
}

async function opens(node: NodeProcess): Promise<boolean> {
  await until("it opens or ends", OPEN_TIMEOUT_MS, () =>
    node.isServing || node.hasEnded ? true : undefined,
  );
  // Damage may be met as soon as it looks at what it has.
  await sleep(100);
  return node.isServing;
}

async function goesOn(context: PartContext): Promise<void> {
  const { journal } = context;
  const goal = journal.acknowledgedCount + 10;
  context.keepLoad({ recordBytes: RECORD_BYTES });
  await until("the others go on", FILL_TIMEOUT_MS, () =>
    journal.acknowledgedCount >= goal ? true : undefined,
  );
}

/** The files of its log's segments, oldest first, once there are some. */
async function segmentsOf({ cluster }: PartContext, node: NodeProcess): Promise<string[]> {
  const directory = cluster.logDirectoryOf(node.nodeId);
  return until(`node ${node.nodeId} has some segments`, FILL_TIMEOUT_MS, () => {
    const names = readdirSync(directory).filter((name) => name.endsWith(".log"));
    if (names.length < SEGMENT_COUNT_MIN) return undefined;
    return names.toSorted().map((name) => join(directory, name));
  });
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:log|snapshot|json)$/u.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function flip({ prng }: PartContext, path: string): string {
  const position = prng.below(statSync(path).size);
  const bit = prng.below(8);
  const fd = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  byte.writeUInt8(byte.readUInt8(0) ^ (1 << bit), 0);
  writeSync(fd, byte, 0, 1, position);
  closeSync(fd);
  return `bit ${bit} of byte ${position} of ${path} flipped`;
}

function truncate({ prng }: PartContext, path: string): string {
  const size = prng.below(statSync(path).size);
  truncateSync(path, size);
  return `${path} cut to ${size} bytes`;
}

export const damage: Scenario = {
  name: "damage",
  title: "flipped bits and truncation in a minority's files",
  parts: (_form: Form): readonly Part[] => [
    { name: "start", run: runAtStart },
    { name: "read", run: runAtRead },
  ],
};
