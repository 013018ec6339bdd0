/** How a long-running command ends, and speaks to the process that has started it. */

import { setMaxListeners } from "node:events";
import { type EndSignal, EXIT, exitCodeOf } from "./failure.ts";

/** To let go of everything after the parent has gone, before it ends in any case. */
const ORPHAN_MS = 5_000;
/** To let go of everything when it is asked to stop. */
const STOP_MS = 30_000;

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

/** At once, or when the signal says so. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

/** By what a process was told to end: the reason of its signal. */
export function endSignalOf({ reason }: AbortSignal): EndSignal {
  return reason === "SIGTERM" ? "SIGTERM" : "SIGINT";
}

/**
 * The first SIGINT or SIGTERM aborts the signal, a second one ends the process at once. Whoever was
 * started by `quorumlog up` ends with it, however that came to its end.
 *
 * SIGHUP is left alone: whoever listens to it undoes `nohup`.
 */
export function lifeSignal(): AbortSignal {
  const controller = new AbortController();
  // As many as there are calls under way: each takes its listener away when it is over.
  setMaxListeners(0, controller.signal);
  const onSignal = (name: EndSignal): void => {
    if (controller.signal.aborted) process.exit(exitCodeOf(name));
    controller.abort(name);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.once("disconnect", () => {
    controller.abort("SIGTERM");
    setTimeout(() => process.exit(exitCodeOf("SIGTERM")), ORPHAN_MS).unref();
  });
  // To hear of it is no reason to live on.
  process.channel?.unref();
  return controller.signal;
}

/**
 * Ends the process if what it lets go of is not gone in time: whoever has sent SIGTERM waits for
 * it, and whoever reads its log should know what it was. To end so is safe, as a crash is.
 */
export function endInTime(): void {
  setTimeout(() => {
    const held = process.getActiveResourcesInfo().join(", ");
    console.error(`it did not stop within ${STOP_MS} ms, and is ended now; it held ${held}`);
    process.exit(EXIT.failed);
  }, STOP_MS).unref();
}

/** Of a process that was started by `quorumlog up`; otherwise there is nobody to tell. */
export function tellParent(message: Readonly<Record<string, unknown>>): void {
  if (process.connected) process.send?.(message);
}

/** A defect: whoever started the process starts it again. */
export function endOnDefect(error: unknown): void {
  console.error(error);
  process.exit(EXIT.defect);
}
