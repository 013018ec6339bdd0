/** What took long in a process lately, to name the cause of a stall by what overlaps with it. */

export interface Pause {
  readonly cause: string;
  /** Of `performance.now()`. */
  readonly startedAt: number;
  readonly milliseconds: number;
}

/** A moment in which something did not go on. */
export interface Stall {
  /** `loop`: of the event loop; `acks`: nothing that was under way was acknowledged. */
  readonly kind: "loop" | "acks";
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly milliseconds: number;
  readonly causes: readonly string[];
}

const KEPT_MS = 10_000;
const CAUSES_MAX = 4;

export class PauseJournal {
  #pauses: Pause[] = [];

  note(pause: Pause): void {
    this.#pauses.push(pause);
  }

  /** What overlaps with a stretch of `performance.now()`, the longest first. */
  causesOf(startedAt: number, milliseconds: number): string[] {
    return this.#pauses
      .filter((pause) => {
        const endsAt = pause.startedAt + pause.milliseconds;
        return pause.startedAt < startedAt + milliseconds && endsAt > startedAt;
      })
      .toSorted((a, b) => b.milliseconds - a.milliseconds)
      .slice(0, CAUSES_MAX)
      .map(({ cause, milliseconds: ms }) => (ms < 1 ? cause : `${cause}, ${ms.toFixed(0)} ms`));
  }

  forgetOld(): void {
    const since = performance.now() - KEPT_MS;
    this.#pauses = this.#pauses.filter(({ startedAt, milliseconds }) => {
      return startedAt + milliseconds >= since;
    });
  }
}
