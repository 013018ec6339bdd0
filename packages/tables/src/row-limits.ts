/** How large a row may be: the same for all kinds, or replicas would not agree. */

/** Of a key's UTF-8. */
export const KEY_BYTES_MAX = 1_024;
/** Of a value. */
export const VALUE_BYTES_MAX: number = 16 * 1024 * 1024;

/** Of one UTF-16 unit. */
const UNIT_BYTES_MAX = 3;
/** Half of a pair: no UTF-8 stands for it, and all of them would come back as one key. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** @returns why no table takes such a row; `undefined` if all do. */
export function rowProblem(key: string, value: Uint8Array): string | undefined {
  if (LONE_SURROGATE.test(key)) return "key: has half of a surrogate pair";
  // A short one need not be measured.
  const keyBytes = key.length * UNIT_BYTES_MAX <= KEY_BYTES_MAX ? 0 : Buffer.byteLength(key);
  if (keyBytes > KEY_BYTES_MAX) return `key: ${keyBytes} bytes, more than ${KEY_BYTES_MAX}`;
  const { byteLength } = value;
  if (byteLength <= VALUE_BYTES_MAX) return undefined;
  return `value: ${byteLength} bytes, more than ${VALUE_BYTES_MAX}`;
}
