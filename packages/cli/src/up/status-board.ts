/**
 * What `quorumlog up` shows: in a terminal a table that is drawn over and over, elsewhere a line
 * for each change.
 */

import type { Admin } from "@quorumlog/client";
import { lookAtCluster, type NodeLook } from "../cluster-look.ts";
import { pause } from "../process-life.ts";
import { roleOf, statusObject, statusTable, type Watched } from "../status-table.ts";
import type { Child } from "./child-process.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { RateMeter } from "./rate-meter.ts";

const LOOK_MS = 1_000;
const SUMMARY_MS = 30_000;
/** Of what a child has said. */
const LAST_LINES = 5;
/** Up and left, and what is below is gone: the next table takes its place. */
const CLEAR = "\u001B[H\u001B[J";

export interface BoardInit {
  readonly local: LocalCluster;
  readonly admin: Admin;
  /** How to reach the cluster, by lines. */
  readonly welcome: readonly string[];
  readonly isJson: boolean;
}

export class StatusBoard {
  readonly #init: BoardInit;
  readonly #isTerminal: boolean;
  readonly #meter = new RateMeter();
  readonly #roles = new Map<number, string>();
  /** Of children that have ended, by name: what is to be said until they run again. */
  readonly #losses = new Map<string, readonly string[]>();
  #toldAt = 0;

  constructor(init: BoardInit) {
    this.#init = init;
    this.#isTerminal = process.stdout.isTTY && !init.isJson;
  }

  /** Until the signal says so. */
  async show(signal: AbortSignal): Promise<void> {
    const { welcome, admin, isJson, local } = this.#init;
    if (!isJson && !this.#isTerminal) {
      console.log(welcome.join("\n"));
      for (const { name, pid } of local.children) console.log(`${name} is process ${pid}`);
    }
    while (!signal.aborted) {
      const looks = await lookUnlessOver(admin, signal);
      if (looks !== undefined) this.#tell(looks);
      await pause(LOOK_MS, signal);
    }
  }

  onLost(child: Child): void {
    const { name, end, lastLines, startCommand } = child;
    const lines = lossLines(child);
    this.#losses.set(name, lines);
    if (this.#init.isJson)
      console.log(JSON.stringify({ lost: name, end, lastLines, startCommand }));
    else if (!this.#isTerminal) console.log(lines.join("\n"));
  }

  onStarted({ name }: Child): void {
    this.#losses.delete(name);
  }

  #tell(looks: readonly NodeLook[]): void {
    const { pids } = this.#init.local;
    const rates = this.#meter.rates(looks);
    for (const { group, nodeId, status } of looks)
      if (status !== undefined) this.#losses.delete(`${group}-${nodeId}`);
    if (this.#init.isJson) {
      const nodes = looks.map((look) => {
        const { nodeId } = look;
        const watched = { messagesPerSecond: rates.get(nodeId), pid: pids.get(nodeId) };
        return { ...statusObject(look), ...watched };
      });
      console.log(JSON.stringify({ nodes }));
    } else if (this.#isTerminal) this.#draw(looks, { rates, pids });
    else this.#tellChanges(looks, { rates, pids });
  }

  #draw(looks: readonly NodeLook[], watched: Watched): void {
    const losses = [...this.#losses.values()].flatMap((lines) => ["", ...lines]);
    const keys = losses.length === 0 ? "" : "r starts what has ended; ";
    const lines = [...this.#init.welcome, "", statusTable(looks, watched), ...losses, ""];
    process.stdout.write(`${CLEAR}${lines.join("\n")}\n${keys}Ctrl-C stops everything\n`);
  }

  #tellChanges(looks: readonly NodeLook[], watched: Watched): void {
    const isFirst = this.#roles.size === 0;
    const changes: string[] = [];
    for (const look of looks) {
      const { nodeId, group, status } = look;
      const role = roleOf(look);
      if (this.#roles.get(nodeId) === role) continue;
      this.#roles.set(nodeId, role);
      const term = status === undefined ? "" : `, term ${status.term}`;
      changes.push(`${group}: node ${nodeId} is ${role}${term}`);
    }
    if (isFirst) console.log(statusTable(looks, watched));
    else for (const change of changes) console.log(change);
    const now = performance.now();
    if (now - this.#toldAt < SUMMARY_MS) return;
    this.#toldAt = now;
    const up = looks.filter(({ status }) => status !== undefined).length;
    const rate = Math.round(Math.max(0, ...watched.rates.values()));
    if (!isFirst) console.log(`${up} of ${looks.length} nodes are up, ${rate} messages/s`);
  }
}

/** How a child has ended, the last it said, and what brings it back. */
export function lossLines({ name, end, lastLines, startCommand, logFile }: Child): string[] {
  return [
    `${name} has ended: ${end}. It is not started again by itself.`,
    ...lastLines.slice(-LAST_LINES).map((line) => `  | ${line}`),
    `  all it said: ${logFile}`,
    `  start it again: ${startCommand}`,
  ];
}

/** @returns `undefined` if it is over meanwhile */
async function lookUnlessOver(
  admin: Admin,
  signal: AbortSignal,
): Promise<readonly NodeLook[] | undefined> {
  try {
    return await lookAtCluster(admin, signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
