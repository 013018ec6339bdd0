/**
 * What can be wrong with a log on a disk. Codes are API; messages are for people.
 *
 * Each says what an operator should do; none is a bug of the program, which is an
 * `InvariantViolation`.
 */

import { InvariantViolation } from "@quorumlog/std";

export type LogErrorCode =
  /** Another process has the directory open. */
  | "LOG_LOCKED"
  /** The directory holds no log. A disk that was lost looks like that. */
  | "LOG_MISSING"
  /** A new log was to be made, and something is there. */
  | "LOG_EXISTS"
  /** The log of another cluster, group, node, or life of the node's disk. */
  | "LOG_FOREIGN"
  /** Written by a later version. */
  | "LOG_VERSION"
  /** A segment file between others, or after a sealed one, is not there. */
  | "LOG_SEGMENT_MISSING"
  /** Bytes that had been synced are not what was written. */
  | "LOG_CORRUPT"
  /** A read, write, sync or close failed. Nothing after it was done. */
  | "LOG_FAILED"
  /** It was closed, or has failed before. */
  | "LOG_CLOSED"
  /** An entry or a batch is larger than a segment allows. */
  | "LOG_TOO_LARGE";

export interface LogErrorDetails {
  readonly file?: string;
  /** In bytes, from the start of the file. */
  readonly offset?: number;
  /** Of the entry that is damaged. */
  readonly index?: number | undefined;
  /** The same, where the message says it already. */
  readonly place?: { readonly file: string | undefined; readonly offset: number | undefined };
  readonly cause?: unknown;
  readonly hasLostWrites?: boolean;
}

export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  readonly file: string | undefined;
  readonly offset: number | undefined;
  /** What was answered and not synced may be gone, page cache and all. */
  readonly hasLostWrites: boolean;
  /** Of the entry that is damaged, if it is about one. */
  readonly index: number | undefined;

  /**
   * An error about the same place, whose message goes on.
   *
   * @param more - A sentence or two, without a dot at the end.
   */
  static extending(error: LogError, more: string): LogError {
    return new LogError(error.code, `${error.message}. ${more}`, {
      cause: error,
      place: { file: error.file, offset: error.offset },
      index: error.index,
      hasLostWrites: error.hasLostWrites,
    });
  }

  /** The same error, of a log of which something that was answered may be gone. */
  static losing(error: LogError): LogError {
    const { code, message, file, offset, index } = error;
    const place = { file, offset };
    return new LogError(code, message, { place, index, cause: error, hasLostWrites: true });
  }

  constructor(code: LogErrorCode, message: string, details: LogErrorDetails = {}) {
    const { file, offset, cause } = details;
    const place =
      file === undefined ? "" : ` (${file}${offset === undefined ? "" : `, byte ${offset}`})`;
    // A log's own error is told of by who extends it.
    const why = cause instanceof Error && !(cause instanceof LogError) ? `: ${cause.message}` : "";
    super(`${message}${place}${why}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.file = file ?? details.place?.file;
    this.offset = offset ?? details.place?.offset;
    this.index = details.index;
    this.hasLostWrites = details.hasLostWrites === true;
  }
}

/**
 * Runs a step of making or opening a log: what the file system throws becomes an error of the log.
 *
 * @throws LogError `LOG_FAILED`, or what the step throws itself.
 */
export function translated<T>(message: string, file: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof LogError || cause instanceof InvariantViolation) throw cause;
    throw new LogError("LOG_FAILED", message, { file, cause });
  }
}
