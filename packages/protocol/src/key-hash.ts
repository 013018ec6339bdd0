/** What a key is looked up by: a hash finds candidates, the key itself decides. */

import { crc32 } from "node:zlib";

/** Numbers in stored bytes: this never changes. */
export function keyHash(key: string): number {
  return crc32(key);
}
