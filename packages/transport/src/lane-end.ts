/** Why a connection that was dialed is no more, or never was. */

export interface LaneEnd {
  readonly kind: /** By the other end, or by its machine on behalf of a process that is gone. */
    | "closed"
    /** The machine answers, and nobody listens. */
    | "absent"
    /** Nobody answers, or the name has no address: it says nothing about the process. */
    | "unreachable"
    /** No sign of life came in time. */
    | "silent"
    /** The handshake led to nothing: `code` is that of the refusal. */
    | "refused"
    /** What came made no sense. */
    | "invalid";
  /** For programs. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

const ABSENT: ReadonlySet<string> = new Set(["ECONNREFUSED"]);
const CLOSED: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);
/** A name may have an address of a family that this machine has no use for. */
const NO_FAMILY: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** What an error of a socket says about the other end. */
export function laneEndOf(
  error: NodeJS.ErrnoException,
  phase: "connecting" | "connected",
): LaneEnd {
  const { code = "UNKNOWN", message } = error;
  const text = message === "" ? code : message;
  // A process that ends may still take a connection, and its machine then resets it.
  if (CLOSED.has(code)) return { kind: "closed", code, message: text };
  const isRefused = phase === "connecting" && isAbsent(error);
  return { kind: isRefused ? "absent" : "unreachable", code, message: text };
}

/** A name with several addresses fails with an error for each: nobody listens at any of them. */
function isAbsent(error: NodeJS.ErrnoException): boolean {
  const codes =
    error instanceof AggregateError
      ? error.errors.map((each) => String((each as NodeJS.ErrnoException).code))
      : [String(error.code)];
  return (
    codes.some((code) => ABSENT.has(code)) &&
    codes.every((code) => ABSENT.has(code) || NO_FAMILY.has(code))
  );
}
