/** States and snapshots at equal indexes, which have to be the same bytes on all replicas. */

import { crc32 } from "node:zlib";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";

/** Every so many entries the states are compared. */
const STRIDE = 8;

export class Images {
  readonly #states = new Map<number, number>();
  readonly #files = new Map<string, number>();

  /** Compares the state, without the ballast, if it is one of those that are compared. */
  onTurn(node: SimNode): void {
    const { keeper } = (node.life as NonNullable<SimNode["life"]>).replica;
    if (keeper.appliedIndex % STRIDE === 0) this.#compare(node);
  }

  /** At the end all stand at one index, whatever that is. */
  onEnd(node: SimNode): void {
    this.#compare(node);
  }

  /** A snapshot is whole, on a disk, under its name. */
  onSnapshot(node: SimNode, path: string, bytes: Uint8Array): void {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const sum = crc32(bytes);
    const known = this.#files.get(name);
    hold(known === undefined || known === sum, "snapshots are equal at equal indexes", () => {
      return `node ${node.nodeId} has another file ${name} than others`;
    });
    this.#files.set(name, sum);
  }

  #compare(node: SimNode): void {
    const { keeper } = (node.life as NonNullable<SimNode["life"]>).replica;
    const { appliedIndex } = keeper;
    let sum = 0;
    let count = 0;
    for (const chunk of keeper.state.image()) {
      sum = crc32(chunk, sum);
      count += 1;
      // Length, state, and the head of the machine.
      if (count === 3) break;
    }
    // For what an image may leave out.
    for (const [nodeId, address] of keeper.state.addresses)
      sum = crc32(`${nodeId} ${address} `, sum);
    const known = this.#states.get(appliedIndex);
    hold(known === undefined || known === sum, "states are equal at equal indexes", () => {
      return `node ${node.nodeId} has another state than others at index ${appliedIndex}`;
    });
    this.#states.set(appliedIndex, sum);
  }
}
