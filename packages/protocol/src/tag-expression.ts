/** Which tags a consumer wants: `a || b`, or `*` for all. */

import { MESSAGE_LIMITS } from "./message.ts";

const TAGS_MAX = 100;
const EXPRESSION_LENGTH_MAX = 16_384;

/**
 * @returns the tags, in order and each once; none stand for all of them.
 * @throws RangeError that says what is wrong with it
 */
export function parseTagExpression(expression: string): readonly string[] {
  if (expression.length > EXPRESSION_LENGTH_MAX)
    throw new RangeError(`${expression.length} characters are more than ${EXPRESSION_LENGTH_MAX}`);
  const trimmed = expression.trim();
  if (trimmed === "" || trimmed === "*") return [];
  const tags = trimmed.split("||").map((tag) => tag.trim());
  for (const tag of tags) {
    if (tag === "") throw new RangeError(`"${expression}" has nothing on one side of a ||`);
    if (tag === "*") throw new RangeError(`"${expression}" has a * beside other tags`);
    if (tag.includes("|")) throw new RangeError(`"${expression}" has a single |`);
    const bytes = Buffer.byteLength(tag);
    if (bytes > MESSAGE_LIMITS.tagBytesMax)
      throw new RangeError(`a tag has ${bytes} bytes, more than ${MESSAGE_LIMITS.tagBytesMax}`);
  }
  const different = [...new Set(tags)].toSorted();
  if (different.length > TAGS_MAX)
    throw new RangeError(`${different.length} tags are more than ${TAGS_MAX}`);
  return different;
}
