/** A look at the log of a stopped node: it writes nothing, and takes no lock. */

import { unreachable } from "@quorumlog/std";
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { ownerOf } from "../directory-lock.ts";
import { LogError } from "../log-error.ts";
import { nodeFileSystem } from "../node-file-system.ts";
import { adviceFor } from "./advice.ts";
import { listFrames } from "./frame-listing.ts";
import { describeSummary, summarizeLog } from "./log-summary.ts";
import { logsBelow } from "./nearby-logs.ts";
import { jsonOf, writeLines } from "./output.ts";
import { type DumpRequest, type InspectionRequest, UsageError } from "./request.ts";
import { segmentNamesIn } from "./segment-file.ts";
import { isSystemError, verifyLog } from "./verification.ts";
import { describeVerification, objectOfVerification } from "./verification-report.ts";

/** What is asked for, the directory given. */
export type LogInspection = Exclude<InspectionRequest, { command: "help" }>;

const EXIT_CODE = { sound: 0, damaged: 1, refused: 2 } as const;

/**
 * Looks at the log of a stopped node, and tells on stdout; progress and errors go to stderr.
 *
 * @returns the exit code of the process: 0 sound, 1 damaged or unreadable, 2 in use.
 * @throws UsageError if the directory is not a log's
 */
export async function inspectLog(request: LogInspection): Promise<number> {
  const directory = resolve(request.directory);
  try {
    demandDirectory(directory);
    demandStopped(directory, "stop it first");
    const exitCode = await inspect({ ...request, directory });
    demandStopped(directory, "it was started meanwhile, so what was said here means nothing");
    return exitCode;
  } catch (error) {
    const known = asLogError(error, directory);
    if (known === undefined) throw error;
    const { code, message } = known;
    tellError(known, request.isJson, `${code}: ${message}\nWhat to do: ${adviceFor(code)}`);
    return known.code === "LOG_LOCKED" ? EXIT_CODE.refused : EXIT_CODE.damaged;
  }
}

async function inspect(request: LogInspection): Promise<number> {
  switch (request.command) {
    case "stat": {
      const summary = summarizeLog(nodeFileSystem, request.directory);
      await writeLines(request.isJson ? [jsonOf(summary)] : describeSummary(summary));
      return EXIT_CODE.sound;
    }
    case "verify":
      return verify(request);
    case "dump":
      return dump(request);
    default:
      return unreachable(request);
  }
}

async function verify({ directory, isJson }: LogInspection): Promise<number> {
  const verification = verifyLog({
    fileSystem: nodeFileSystem,
    directory,
    onProgress: ({ done, of }) => {
      if (!process.stderr.isTTY) return;
      // Over itself, and away when it is done.
      process.stderr.write(done === of ? "\r\u001B[K" : `\rsegment ${done + 1} of ${of}`);
    },
  });
  const { verdict } = verification;
  // Known before it is printed, for whoever reads only the start of that.
  process.exitCode = verdict === "corrupt" ? EXIT_CODE.damaged : EXIT_CODE.sound;
  await writeLines(
    isJson ? [jsonOf(objectOfVerification(verification))] : describeVerification(verification),
  );
  return process.exitCode;
}

async function dump(request: DumpRequest): Promise<number> {
  const { directory } = request;
  if (segmentNamesIn(nodeFileSystem, directory).length === 0)
    throw new LogError("LOG_MISSING", "there is no log in this directory", { file: directory });
  let exitCode: number = EXIT_CODE.sound;
  const onUnreadable = (name: string, error: unknown): void => {
    const known = asLogError(error, name);
    if (known === undefined) throw error;
    exitCode = EXIT_CODE.damaged;
    tellError(known, request.isJson, `${name}: ${known.code}: ${known.message}`);
  };
  await writeLines(listFrames({ fileSystem: nodeFileSystem, request, onUnreadable }));
  return exitCode;
}

function demandDirectory(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined)
    throw new LogError("LOG_MISSING", "there is no such directory", { file: directory });
  if (!found.isDirectory()) throw new UsageError(`${directory} is no directory`);
  if (segmentNamesIn(nodeFileSystem, directory).length > 0) return;
  const [log] = logsBelow(directory);
  if (log !== undefined)
    throw new UsageError(`${directory} is not a log, but holds one: name ${join(directory, log)}`);
}

function demandStopped(directory: string, advice: string): void {
  const owner = ownerOf(directory);
  if (owner !== undefined)
    throw new LogError("LOG_LOCKED", `the log is open in ${owner}: ${advice}`, { file: directory });
}

/** @returns `undefined` for what is a bug. */
function asLogError(error: unknown, file: string): LogError | undefined {
  if (error instanceof LogError) return error;
  if (!isSystemError(error)) return undefined;
  return new LogError("LOG_FAILED", error.message, { file, cause: error });
}

/** On stderr: what there is on stdout is a result. */
function tellError(error: LogError, isJson: boolean, text: string): void {
  const { code, message, file, offset } = error;
  const object = { error: { code, message, file, offset }, advice: adviceFor(code) };
  process.stderr.write(`${isJson ? jsonOf(object) : text}\n`);
}
