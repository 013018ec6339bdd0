/**
 * The core, in a process of its own each time: a compiler that has once made slow code of something
 * stays with it, and what is measured again is to be another throw of its dice.
 */

import { ForkedNode } from "../forked-node.ts";
import { CORE_CASES } from "./core-pairs.ts";
import type { CoreAnswer, CoreRequest } from "./core-process.ts";
import type { GuardPart } from "./guard-part.ts";

const FILE = new URL("./core-process.js", import.meta.url);
const WARMUP_MS = 300;

export const CORE_PART: GuardPart = {
  bench: "core",
  cases: CORE_CASES,
  async start() {
    const child = new ForkedNode<CoreRequest, CoreAnswer>(FILE, {});
    await child.nextAnswer();
    const measure = async (request: CoreRequest): Promise<number> => {
      const { perSecond } = await child.ask(request);
      return perSecond;
    };
    const pairs = CORE_CASES.map((name) => ({
      name,
      bare: (ms: number) => measure({ name, side: "bare", ms }),
      ours: (ms: number) => measure({ name, side: "ours", ms }),
    }));
    for (const { bare, ours } of pairs) for (const side of [bare, ours]) await side(WARMUP_MS);
    const stop = (): Promise<void> => {
      child.signal("SIGKILL");
      return Promise.resolve();
    };
    return { pairs, stop };
  },
};
