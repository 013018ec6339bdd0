/**
 * Where nodes of the metadata group were reached, in the log of a group that follows it: whoever
 * begins to lead finds it, also while no NameServer says where it is.
 */

import type { NoteMetadataNodesCommand } from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";

const ADDRESS_BYTES_MAX = 512;
/** A group has three or five; the rest are former ones, which are asked last. */
const ADDRESSES_MAX = 16;
/** Of the table, which has this one row. */
const ROW = "addresses";

export class MetadataNodes {
  readonly #table: Table<NoteMetadataNodesCommand>;

  constructor(table: Table<NoteMetadataNodesCommand>) {
    this.#table = table;
  }

  /** As `host:port`, those that were noted last first. */
  get addresses(): readonly string[] {
    return this.#table.get(ROW)?.addresses ?? [];
  }

  /** Whether there is one that is not known: of those that {@link note} would take. */
  lacks(addresses: readonly string[]): boolean {
    const known = this.addresses;
    return wellFormed(addresses)
      .slice(0, ADDRESSES_MAX)
      .some((address) => !known.includes(address));
  }

  /** What is none is left out, and so are those from long ago that there is no room for. */
  note(command: NoteMetadataNodesCommand): void {
    const given = wellFormed(command.addresses);
    const addresses = [...new Set([...given, ...this.addresses])].slice(0, ADDRESSES_MAX);
    if (addresses.length === 0) return;
    command.addresses = addresses;
    this.#table.set(ROW, command);
  }
}

function wellFormed(addresses: readonly string[]): string[] {
  const different = new Set(addresses);
  return [...different].filter((address) => {
    const bytes = Buffer.byteLength(address);
    return bytes > 0 && bytes <= ADDRESS_BYTES_MAX;
  });
}
