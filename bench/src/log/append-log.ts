/** What the log and its bare counterpart have in common, as far as it is measured. */
export interface AppendLog {
  /** @param onDurable - Called when the batch is on the disk, in the order of the calls. */
  append(data: Uint8Array, onDurable: () => void): void;

  /** Calls back when the next segment is ready: no work is left over for the background. */
  whenReady(run: () => void): void;

  close(onClosed: () => void): void;
}
