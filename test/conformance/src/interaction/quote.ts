/** Bytes as the recorded scripts print them: in double quotes, as Go's `%q` does. */

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function quote(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    if (character === undefined) {
      text += hexadecimal("x", bytes[at] as number, 2);
      at += 1;
    } else {
      text += quoteCharacter(character.codePoint);
      at += character.length;
    }
  }
  return `"${text}"`;
}

function quoteCharacter(codePoint: number): string {
  const escaped = ESCAPES.get(codePoint);
  if (escaped !== undefined) return escaped;
  const character = String.fromCodePoint(codePoint);
  if (PRINTABLE.test(character)) return character;
  if (codePoint < 0x80) return hexadecimal("x", codePoint, 2);
  return codePoint < 0x10000 ? hexadecimal("u", codePoint, 4) : hexadecimal("U", codePoint, 8);
}

function hexadecimal(letter: string, value: number, digits: number): string {
  return `\\${letter}${value.toString(16).padStart(digits, "0")}`;
}

/** The UTF-8 character that begins at `at`; `undefined` if none does. */
function characterAt(
  bytes: Uint8Array,
  at: number,
): { readonly codePoint: number; readonly length: number } | undefined {
  const first = bytes[at] as number;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    const codePoint = strictDecoder.decode(bytes.subarray(at, at + length)).codePointAt(0);
    return codePoint === undefined ? undefined : { codePoint, length };
  } catch {
    // Not UTF-8 is an answer here, not an error: such bytes are printed one by one.
    return undefined;
  }
}
