/** A message's body: which one it is, when it was due, and marks that show whether it is whole. */

/**
 *     0        4             12                        length - 4
 *     | serial | due at (ms) | a pattern of the serial | ~serial |
 */
export const BODY_BYTES_MIN = 24;

const DUE_AT = 4;
const PATTERN_AT = 12;
const PATTERNS_MAX = 251;
/** By the byte that they consist of; as long as bodies have been. */
const PATTERNS: Buffer[] = [];

export interface ReadBody {
  readonly serial: number;
  readonly dueAt: number;
}

/** @param dueAt - By {@link monotonicMs}. */
export function writeBody(body: Buffer, serial: number, dueAt: number): void {
  body.writeUInt32LE(serial, 0);
  body.writeDoubleLE(dueAt, DUE_AT);
  body.fill(serial % PATTERNS_MAX, PATTERN_AT, body.length - 4);
  body.writeUInt32LE(~serial >>> 0, body.length - 4);
}

/** @returns `undefined` if the bytes are not as they were written. */
export function readBody(bytes: Uint8Array, bodyBytes: number): ReadBody | undefined {
  if (bytes.length !== bodyBytes) return undefined;
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const serial = body.readUInt32LE(0);
  const isWhole =
    body.readUInt32LE(body.length - 4) === ~serial >>> 0 && isPattern(body, serial % PATTERNS_MAX);
  return isWhole ? { serial, dueAt: body.readDoubleLE(DUE_AT) } : undefined;
}

function isPattern(body: Buffer, byte: number): boolean {
  const end = body.length - 4;
  let pattern = PATTERNS[byte];
  if (pattern === undefined || pattern.length < body.length)
    PATTERNS[byte] = pattern = Buffer.alloc(body.length, byte);
  return body.compare(pattern, PATTERN_AT, end, PATTERN_AT, end) === 0;
}

/** When this process's clock began. */
const STARTED_AT = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Of the machine, the same in all its processes, to some microseconds. */
export function monotonicMs(): number {
  return STARTED_AT + performance.now();
}
