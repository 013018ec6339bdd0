/** Chance, so that those who have lost the same server do not all come back in the same instant. */

export interface ReconnectBounds {
  /** In milliseconds; default 100. */
  readonly reconnectMsMin?: number;
  /**
   * In milliseconds; default 400. A server that comes back empty knows everything after one such
   * delay, and a client that was there too early asks again after one more: both are a second at
   * most. Less would be more work for every broker while a server is down.
   */
  readonly reconnectMsMax?: number;
}

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 400;

export function reconnectDelayMs(bounds: ReconnectBounds): number {
  const { reconnectMsMin: min = RECONNECT_MS_MIN, reconnectMsMax: max = RECONNECT_MS_MAX } = bounds;
  return min + Math.random() * Math.max(0, max - min);
}
