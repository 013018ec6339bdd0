/**
 * Where clients reach the nodes that have led the group: each notes it when it begins. So whoever
 * follows can say where the leader is, also while no NameServer does.
 */

import type { BeginReignCommand } from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";

const ADDRESS_BYTES_MAX = 512;
/** Nodes that were replaced are among them. */
const ROWS_MAX = 1_000;

export class LeaderAddresses {
  readonly #rows: Table<BeginReignCommand>;

  constructor(rows: Table<BeginReignCommand>) {
    this.#rows = rows;
  }

  /** @returns `undefined` if it has never led. */
  of(nodeId: number): string | undefined {
    return this.#rows.get(String(nodeId))?.address;
  }

  /** Of a leader that says nothing, or too much, nothing is noted. */
  note(command: BeginReignCommand): void {
    const { nodeId, address } = command;
    const bytes = Buffer.byteLength(address);
    if (nodeId === 0 || bytes === 0 || bytes > ADDRESS_BYTES_MAX) return;
    const rowKey = String(nodeId);
    if (this.#rows.get(rowKey)?.address === address) return;
    if (this.#rows.size >= ROWS_MAX)
      for (const [other] of this.#rows.entries()) this.#rows.delete(other);
    this.#rows.set(rowKey, command);
  }
}
