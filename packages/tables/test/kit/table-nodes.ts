/** Nodes of a group with tables, in this process: real disks, and a network in memory. */

import {
  nodeEnvironment,
  type ReplicaEvent,
  ReplicatedStateMachine,
  type ReplicaTuning,
} from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { LmdbTables, type LmdbTablesOptions, MemoryTables, type Tables } from "../../src/index.ts";
import { COUNTING_TABLES, CountingMachine } from "./counting-machine.ts";
import { LaggingCheckpoint } from "./lagging-checkpoint.ts";

export type TableKind = "lmdb" | "memory";

interface NodeOptions extends LmdbTablesOptions {
  readonly join?: boolean;
  readonly coveredOffset?: number;
  /** As another version has. */
  readonly moreTables?: readonly string[];
}

export interface TableNode {
  readonly directory: string;
  readonly machine: CountingMachine;
  readonly tables: Tables;
  readonly group: ReplicatedStateMachine;
  readonly events: ReplicaEvent[];
  /** Of tables in LMDB. */
  readonly checkpoint: LaggingCheckpoint | undefined;
  /** Gives nothing over. */
  kill(): Promise<void>;
}

export class TableNodes {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "quorumlog-nodes-"));
  readonly #network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  readonly #peers: Record<number, string>;
  readonly #tuning: Partial<ReplicaTuning>;

  constructor(nodeIds: readonly number[], tuning: Partial<ReplicaTuning> = {}) {
    this.#peers = Object.fromEntries(nodeIds.map((id) => [id, `node-${id}:1`]));
    // Nobody is to lose leadership because the machine is busy.
    const electionMs = nodeIds.length === 1 ? 320 : 2_000;
    this.#tuning = { segmentBytes: 262_144, electionMs, ...tuning };
    onTestFinished(() => {
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  directory(nodeId: number): string {
    return join(this.#folder, `node-${nodeId}`);
  }

  async open(nodeId: number, kind: TableKind, options: NodeOptions = {}): Promise<TableNode> {
    const directory = this.directory(nodeId);
    const names = [...COUNTING_TABLES, ...(options.moreTables ?? [])];
    const lmdb = kind === "lmdb" ? new LmdbTables(names, options) : undefined;
    const checkpoint = lmdb === undefined ? undefined : new LaggingCheckpoint(lmdb);
    const tables = lmdb ?? new MemoryTables(names);
    const machine = new CountingMachine(tables, options.coveredOffset);
    const transport = this.#network.transport({ nodeId, incarnation: 1 });
    const events: ReplicaEvent[] = [];
    const group = await ReplicatedStateMachine.open(
      {
        directory,
        clusterId: "tables",
        nodeId,
        ifMissing: options.join === true ? "join" : "found",
        peers: this.#peers,
        transport,
        tuning: this.#tuning,
        // Files of its own are made again of a log that is kept.
        retention: options.coveredOffset === undefined ? "compact" : "keep",
        onEvent: (event) => events.push(event),
        ...(checkpoint === undefined ? {} : { checkpoint }),
      },
      machine,
    ).catch(async (error: unknown) => {
      await closed(transport);
      throw error;
    });
    let killing: Promise<void> | undefined;
    const kill = (): Promise<void> => {
      killing ??= closed(transport).then(() => group.close({ handOver: false }));
      return killing;
    };
    onTestFinished(kill);
    return { directory, machine, tables, group, events, checkpoint, kill };
  }

  /** Whatever is sent between a node and the others is lost. */
  isolate(nodeId: number): void {
    for (const other of Object.keys(this.#peers).map(Number)) {
      if (other === nodeId) continue;
      this.#network.drop(nodeId, other, 1);
      this.#network.drop(other, nodeId, 1);
    }
  }

  heal(): void {
    this.#network.healAll();
  }

  /** Names and bytes of the snapshots that a node has. */
  snapshots(nodeId: number): Map<string, Buffer> {
    const folder = join(this.directory(nodeId), "group-0", "snapshots");
    const names = readdirSync(folder).filter((name) => name.endsWith(".snapshot"));
    return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
  }
}

function closed(transport: Transport): Promise<void> {
  return new Promise((resolve) => {
    transport.close(resolve);
  });
}

/** Has the leader execute so many commands. */
export async function executeMany(node: TableNode, count: number): Promise<void> {
  const commands = Array.from({ length: count }, (_, i) => Buffer.alloc(300, i));
  for (let at = 0; at < count; at += 50) await node.group.executeAll(commands.slice(at, at + 50));
}

/** Until it is so. */
export async function eventually(isSo: () => boolean): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i > 1_000) throw new Error("it never came to be");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
