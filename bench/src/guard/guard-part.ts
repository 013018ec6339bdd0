/** A part of the project that the guard measures, beside a bare counterpart that runs with it. */

/** One figure: the same load on both, which stay up between the rounds. */
export interface GuardPair {
  readonly name: string;
  /** Each takes about so many milliseconds. @returns operations per second. */
  readonly bare: (ms: number) => Promise<number>;
  readonly ours: (ms: number) => Promise<number>;
}

export interface RunningPart {
  readonly pairs: readonly GuardPair[];
  readonly stop: () => Promise<void>;
}

export interface GuardPart {
  /** The measurement that tells more: `npm run bench -- ...`. */
  readonly bench: string;
  /** Names of what it measures, which begin with the part's. */
  readonly cases: readonly string[];
  /**
   * Starts and warms up both, as code that has just begun to run is slow.
   *
   * @param folder - Temporary, on the disk that is measured.
   */
  readonly start: (folder: string) => Promise<RunningPart>;
}
