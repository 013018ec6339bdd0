/**
 * Scenario: bytes of a minority's files rot: as a node starts, and under a node that runs; and with
 * the help of its peers it mends itself.
 */

import type { ReplicaTuning } from "@quorumlog/replica";
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { NodeProcess } from "../node-process.ts";
import { sleep, until } from "../patience.ts";
import type { ErrorReport } from "../process/error-report.ts";
import { ProcessCallError } from "../process/serving-process.ts";
import { EXIT_CODE } from "../process/serving-protocol.ts";
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

/** What was done to which file. */
interface Damaged {
  readonly what: string;
  readonly path: string;
}

/** Errors that are about more than a place in a file. */
const WITHOUT_OFFSET: ReadonlySet<string> = new Set([
  "LOG_SEGMENT_MISSING",
  "LOG_MISSING",
  // Damage in the last batch passes for a torn tail, and is cut; but the leader knows better.
  "DISK_LOST",
]);

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
    if (await opens(node)) await demandHarmless(context, node, { what, path });
    if (node.hasEnded) await demandTypedEnd(context, node, { what, path });
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

/** Sealed segments, with `recoverFromPeers`: nobody replaces the node. */
async function runRepair(context: PartContext): Promise<PartResult> {
  const { form, prng } = context;
  const cluster = await context.startCluster({ tuning: TUNING, recoverFromPeers: true });
  for (let round = 1; round <= ROUND_COUNT[form]; round++) {
    context.keepLoad({ recordBytes: RECORD_BYTES });
    const victim = await cluster.follower();
    const { nodeId } = victim;
    await segmentsOf(context, victim);
    const isStopped = prng.chance(0.6);
    if (isStopped) await victim.kill();
    const path = prng.pick((await segmentsOf(context, victim)).slice(0, -3));
    const what = isStopped ? damageSealed(context, path) : flip(context, path);
    const node = isStopped ? await cluster.start(nodeId) : victim;
    await goesOn(context);
    await until(`node ${nodeId} mends itself: ${what}`, FILL_TIMEOUT_MS, async () => {
      const errors = await readAll(context, node, what);
      for (const error of errors) demandPlace(context, error, { what, path });
      return errors.length === 0 ? true : undefined;
    });
    await catchUp(context, node);
    context.count(isStopped ? "mended as it started" : "mended as it ran");
    context.progress(`${round} of ${ROUND_COUNT[form]}, ${what}`);
  }
  await context.check(Number.POSITIVE_INFINITY);
  return context.result();
}

function damageSealed(context: PartContext, path: string): string {
  const kind = context.prng.below(3);
  if (kind === 0) return flip(context, path);
  if (kind === 1) return truncate(context, path);
  rmSync(path);
  return `${path} removed`;
}

/** It ended because of the damage, and says so. What it applies first is read once it is open. */
async function demandTypedEnd(
  context: PartContext,
  node: NodeProcess,
  damaged: Damaged,
): Promise<void> {
  const { exitCode, fatal } = await node.ended();
  const { cannotOpen, failed } = EXIT_CODE;
  const isClear = exitCode === (fatal?.during === "open" ? cannotOpen : failed);
  context.demand(isClear, `${damaged.what}: ${node.describe()}`);
  if (fatal !== undefined) demandPlace(context, fatal.error, damaged);
  context.count(`ended, ${fatal?.during}: ${fatal?.error.code}`);
}

/** It opened in spite of the damage: then nothing that it gives out may be wrong. */
async function demandHarmless(
  context: PartContext,
  node: NodeProcess,
  damaged: Damaged,
): Promise<void> {
  let errors: ErrorReport[];
  try {
    errors = await readAll(context, node, damaged.what);
    if (errors.length === 0) await catchUp(context, node);
  } catch (error) {
    if (node.hasEnded) return;
    throw error;
  }
  for (const error of errors) demandPlace(context, error, damaged);
  if (errors.length > 0) context.count("opened, noticed as it was read");
  else {
    context.count("opened, harmless");
    await context.check(Number.POSITIVE_INFINITY);
  }
}

/** @throws PatienceError if it neither has what the leader knows it to have, nor says why. */
async function catchUp({ cluster }: PartContext, node: NodeProcess): Promise<void> {
  const { nodeId } = node;
  await until(`node ${nodeId} catches up, or ends`, FILL_TIMEOUT_MS, async () => {
    const leader = await (await cluster.leader()).call("status", undefined);
    const { appliedIndex } = await node.call("status", undefined);
    const view = leader.progress.find(({ id }) => id === nodeId);
    return view?.state === "replicate" && appliedIndex >= view.matchIndex - 1 ? true : undefined;
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
      if (!(error instanceof ProcessCallError)) throw error;
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

/** The error, or what is behind it, names the file and the place. */
function demandPlace(
  context: PartContext,
  { code, message, file, offset, cause }: ErrorReport,
  { what, path }: Damaged,
): void {
  const isRight = WITHOUT_OFFSET.has(code ?? "") || (file === path && offset !== undefined);
  if (isRight || message.includes(`${path}, byte `)) return;
  if (basename(path) === "node.json" && message.includes(dirname(path))) return;
  if (cause !== undefined) demandPlace(context, cause, { what, path });
  else context.demand(false, `${what}: ${code} of ${file} at ${offset}: ${message}`);
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
    { name: "repair", run: runRepair },
  ],
};
