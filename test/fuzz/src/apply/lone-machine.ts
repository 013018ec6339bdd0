/** A state machine without a node: tables in memory, an index on a file system in memory. */

import { BrokerMachine, QueueIndex, TABLE_NAMES } from "@quorumlog/broker/testing";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryTables } from "@quorumlog/tables";

/** Few rows in a span, so that histories have several. */
const SPAN_ROWS = 16;

export function loneMachine(groupId: number): BrokerMachine {
  return new BrokerMachine({
    groupId,
    tables: new MemoryTables(TABLE_NAMES),
    openIndex: () =>
      new QueueIndex({
        fileSystem: new MemoryFileSystem({ prng: new Prng(1) }),
        directory: "/index",
        spanRowsMax: SPAN_ROWS,
        spanRowsOfQueue: 1,
        onFailure: (error) => {
          throw error;
        },
      }),
    onStored: () => undefined,
    onAssigned: () => undefined,
    onMetadata: () => undefined,
  });
}

export function imageOf(machine: BrokerMachine): Buffer {
  return Buffer.concat([...machine.snapshot()]);
}

/** As a node that a leader has sent its snapshot. */
export function restored(
  image: Buffer,
  position: { index: number; offset: number },
  groupId: number,
): BrokerMachine {
  const machine = loneMachine(groupId);
  machine.restore([Buffer.from(image)], position);
  return machine;
}
