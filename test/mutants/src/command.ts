/** Runs a command for as long as it has something to say, and leaves nothing of it behind. */

import { type ChildProcess, spawn } from "node:child_process";

export interface Finished {
  /** `undefined` if it was killed. */
  readonly exitCode: number | undefined;
  /** What killed it, if not its silence: itself, the operating system, or somebody else. */
  readonly signal: string | undefined;
  readonly isOverdue: boolean;
  /** Both streams, as far as they are kept. */
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Of each stream; a bug may print without end. */
const OUTPUT_LENGTH_MAX = 32 * 1024 * 1024;

const running = new Set<ChildProcess>();

process.on("exit", () => {
  for (const child of running) killGroup(child);
});

export interface RunOptions {
  readonly cwd: string;
  /** It is killed after this long without a word. */
  readonly silenceSeconds: number;
}

/** @param argv - Run by this very Node.js: a script and its arguments. */
export function runNode(argv: readonly string[], options: RunOptions): Promise<Finished> {
  const startedAt = process.hrtime.bigint();
  // A group of its own, so that whatever it starts can be ended with it, and nothing else.
  const child = spawn(process.execPath, ["--max-old-space-size=2048", ...argv], {
    cwd: options.cwd,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, CI: "1" },
  });
  running.add(child);
  let isOverdue = false;
  const timer = setTimeout(() => {
    isOverdue = true;
    killGroup(child);
  }, options.silenceSeconds * 1000);
  const hear = (): void => {
    timer.refresh();
  };
  const stdout = gather(child.stdout, hear);
  const stderr = gather(child.stderr, hear);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      running.delete(child);
    };
    child.on("error", (error) => {
      end();
      reject(error);
    });
    child.on("close", (code, by) => {
      end();
      const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
      const exitCode = isOverdue ? undefined : (code ?? undefined);
      const signal = isOverdue ? undefined : (by ?? undefined);
      resolve({ exitCode, signal, isOverdue, stdout: stdout(), stderr: stderr(), seconds });
    });
  });
}

function gather(stream: NodeJS.ReadableStream, hear: () => void): () => string {
  const chunks: string[] = [];
  let length = 0;
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    hear();
    length += chunk.length;
    if (length <= OUTPUT_LENGTH_MAX) chunks.push(chunk);
  });
  return () => chunks.join("");
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself just now, which is all that was wanted.
  }
}
