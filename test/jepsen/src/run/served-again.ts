/** Whether clients are served behind the last fault as they were before it. */

import type { HistoryEvent } from "../history/history-event.ts";

/** Asked for so often, something should have been done once. */
const TRIES_MIN = 10;

export class ServedAgain {
  /** What was done at any time. */
  readonly #known = new Set<string>();
  /** Since {@link begin}: what was done, and what was not, how often. */
  readonly #done = new Set<string>();
  readonly #failed = new Map<string, number>();

  /** What was done up to now shows nothing any more. */
  begin(): void {
    this.#done.clear();
    this.#failed.clear();
  }

  /** Of a client. */
  note({ type, action }: Pick<HistoryEvent, "type" | "action">): void {
    if (type === "invoke") return;
    if (type !== "ok") {
      this.#failed.set(action, (this.#failed.get(action) ?? 0) + 1);
      return;
    }
    this.#known.add(action);
    this.#done.add(action);
  }

  /** Whether all that was ever done was done again. */
  get isSo(): boolean {
    return [...this.#known].every((action) => this.#done.has(action));
  }

  /** A sentence for each that was asked for again and again, and not done any more. */
  problems(): string[] {
    return [...this.#failed]
      .filter(([action, count]) => count >= TRIES_MIN && !this.#done.has(action))
      .map(([action, count]) => {
        return `with the cluster whole, ${action} was asked for ${count} times, and never done`;
      });
  }
}
