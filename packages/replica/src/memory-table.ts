/** A table in memory, for state machines: keys are text, values are bytes. */

/** Entries that one piece of a snapshot holds. */
const ENTRIES_PER_PIECE = 1_024;

export class MemoryTable {
  readonly #rows = new Map<string, Uint8Array>();

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): Uint8Array | undefined {
    return this.#rows.get(key);
  }

  /** @param value - Belongs to the table from here on. */
  set(key: string, value: Uint8Array): void {
    this.#rows.set(key, value);
  }

  delete(key: string): boolean {
    return this.#rows.delete(key);
  }

  entries(): IterableIterator<[string, Uint8Array]> {
    return this.#rows.entries();
  }

  /** The table as it is now, ordered by key. */
  snapshot(): Iterable<Uint8Array> {
    const rows = [...this.#rows].sort(([left], [right]) => (left < right ? -1 : 1));
    return pieces(rows);
  }

  /** Becomes what `snapshot` gave. */
  restore(chunks: Iterable<Uint8Array>): void {
    this.#rows.clear();
    const bytes = Buffer.concat([...chunks]);
    let at = 0;
    while (at < bytes.length) {
      const keyEnd = at + 8 + bytes.readUInt32LE(at);
      const end = keyEnd + bytes.readUInt32LE(at + 4);
      this.#rows.set(bytes.toString("utf8", at + 8, keyEnd), bytes.subarray(keyEnd, end));
      at = end;
    }
  }
}

function* pieces(rows: readonly [string, Uint8Array][]): Generator<Uint8Array> {
  for (let i = 0; i < rows.length; i += ENTRIES_PER_PIECE)
    yield Buffer.concat(rows.slice(i, i + ENTRIES_PER_PIECE).flatMap(encodeRow));
}

/** u32 bytes of the key, u32 bytes of the value, and both. */
function encodeRow([key, value]: readonly [string, Uint8Array]): Uint8Array[] {
  const text = Buffer.from(key, "utf8");
  const lengths = Buffer.allocUnsafe(8);
  lengths.writeUInt32LE(text.length, 0);
  lengths.writeUInt32LE(value.byteLength, 4);
  return [lengths, text, value];
}
