/** How a long-running command ends, and speaks to the process that has started it. */

/** Until the signal says so. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener("abort", () => {
        resolve();
      });
  });
}

/** Of a process that was started by `quorumlog up`; otherwise there is nobody to tell. */
export function tellParent(message: Readonly<Record<string, unknown>>): void {
  if (process.connected) process.send?.(message);
}
