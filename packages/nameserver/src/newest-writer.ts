/**
 * Writes to a stream what is newest: one value is on its way, one waits, and what comes meanwhile
 * takes the place of the one that waits. So who does not read costs two values, however long.
 */

interface Sink<Message> {
  readonly writableEnded: boolean;
  readonly destroyed: boolean;
  write(message: Message, onWritten: () => void): boolean;
}

export class NewestWriter<Value, Message> {
  readonly #sink: Sink<Message>;
  readonly #messageOf: (value: Value) => Message;
  #waiting: { readonly value: Value } | undefined;
  #isWriting = false;

  /** @param messageOf - Called once for each value that is written, in order, just before. */
  constructor(sink: Sink<Message>, messageOf: (value: Value) => Message) {
    this.#sink = sink;
    this.#messageOf = messageOf;
  }

  /** Nothing waits, and nothing is on its way. */
  get isIdle(): boolean {
    return !this.#isWriting && this.#waiting === undefined;
  }

  /** Nothing is written to a stream that has ended. */
  write(value: Value): void {
    this.#waiting = { value };
    this.#writeNext();
  }

  #writeNext(): void {
    const next = this.#waiting;
    if (next === undefined || this.#isWriting) return;
    this.#waiting = undefined;
    if (this.#sink.writableEnded || this.#sink.destroyed) return;
    this.#isWriting = true;
    // Called when the bytes are taken by the connection, which the reader's window governs.
    this.#sink.write(this.#messageOf(next.value), () => {
      this.#isWriting = false;
      this.#writeNext();
    });
  }
}
