/** The core and its bare counterparts as a process: `node core-process.js JSON`. */

import { required } from "@quorumlog/std";
import { corePairs } from "./core-pairs.ts";

export interface CoreRequest {
  readonly name: string;
  readonly side: "bare" | "ours";
  readonly ms: number;
}

export interface CoreAnswer {
  /** Operations; 0 of a process that says that it is ready. */
  readonly perSecond: number;
}

const pairs = new Map(corePairs().map((pair) => [pair.name, pair]));

process.on("message", ({ name, side, ms }: CoreRequest) => {
  const pair = required(pairs.get(name), "what is asked for is a case");
  pair[side](ms).then(
    (perSecond) => process.send?.({ perSecond } satisfies CoreAnswer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ perSecond: 0 } satisfies CoreAnswer);
