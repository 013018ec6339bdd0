/** What a fuzzer has found: it should never be thrown. */

export class Finding extends Error {
  override readonly name = "Finding";
}

export function demand(isSo: boolean, message: string): asserts isSo {
  if (!isSo) throw new Finding(message);
}
