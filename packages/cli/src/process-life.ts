/** How a long-running command ends, and speaks to the process that has started it. */

/** Until the signal says so, or whoever has started this process has ended without a word. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      process.off("disconnect", end);
      // Who listens keeps the process alive.
      if (process.connected) process.disconnect();
      resolve();
    };
    if (signal.aborted) end();
    else {
      signal.addEventListener("abort", end);
      process.on("disconnect", end);
    }
  });
}

/** Of a process that was started by `quorumlog up`; otherwise there is nobody to tell. */
export function tellParent(message: Readonly<Record<string, unknown>>): void {
  if (process.connected) process.send?.(message);
}
