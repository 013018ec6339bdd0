/** Evidence for people: `killed 1, elections 2`; what is 0 or false is left out. */

import type { Evidence } from "./fault.ts";

export function evidenceWords(evidence: Evidence): string {
  return Object.entries(evidence)
    .filter(([, value]) => value !== 0 && value !== false && value !== "")
    .map(([name, value]) => (value === true ? wordsOf(name) : `${wordsOf(name)} ${value}`))
    .join(", ");
}

/** `heldBytes` is "held bytes". */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`);
}
