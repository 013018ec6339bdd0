/** A replica of registers in this process, for tests of what is served. */

import { KeyValueMachine, TABLE_NAMES } from "@quorumlog/example-kv";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { nodeEnvironment, ReplicatedStateMachine } from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import { MemoryTables } from "@quorumlog/tables";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { onTestFinished } from "vitest";

export interface Registers {
  readonly group: ReplicatedStateMachine;
  readonly machine: KeyValueMachine;
}

/** Small: files in memory are made of zeros, too. */
const SEGMENT_BYTES = 1024 * 1024;

/** A group of one node, on a disk in memory, closed when the test is over. */
export async function openRegisters(): Promise<Registers> {
  const machine = new KeyValueMachine(new MemoryTables(TABLE_NAMES));
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const group = await ReplicatedStateMachine.open(
    {
      directory: "/node-1",
      clusterId: "registers",
      nodeId: 1,
      ifMissing: "found",
      peers: { 1: "node-1:1" },
      transport: network.transport({ nodeId: 1, incarnation: 0 }),
      fileSystem: new MemoryFileSystem({ prng: new Prng(2) }),
      tuning: { segmentBytes: SEGMENT_BYTES },
    },
    machine,
  );
  onTestFinished(() => group.close());
  await group.leader();
  return { group, machine };
}
