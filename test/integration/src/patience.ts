/** Waiting, never without an end: whoever waits says for what, and for how long at most. */

/** What was waited for did not come. */
export class PatienceError extends Error {
  override readonly name = "PatienceError";
}

const POLL_MS = 5;

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** @throws PatienceError if the promise is not settled in time. */
export async function within<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new PatienceError(`${what}: not within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Looks again and again.
 *
 * @returns what it saw at last.
 * @throws PatienceError
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline)
      throw new PatienceError(`${what}: not within ${timeoutMs} ms`);
    await sleep(POLL_MS);
  }
}
