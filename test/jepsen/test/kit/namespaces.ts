/** Whether this machine has network namespaces for tests; what is missing is printed. */

import type { LinkLacks } from "../../src/links/links.ts";
import { NamespacesMissingError, tryNamespaces } from "../../src/links/namespace-trial.ts";

export interface NamespacesFound {
  readonly isPossible: boolean;
  readonly lacks: LinkLacks;
}

export async function findNamespaces(): Promise<NamespacesFound> {
  try {
    const lacks = await tryNamespaces();
    for (const [what, lack] of Object.entries(lacks))
      console.warn(`skipped: what is about ${what}: needs ${lack}`);
    return { isPossible: true, lacks };
  } catch (error) {
    if (!(error instanceof NamespacesMissingError)) throw error;
    console.warn(`skipped: tests of network namespaces: ${error.message}`);
    return { isPossible: false, lacks: {} };
  }
}
