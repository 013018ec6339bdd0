/** The ceiling of a consumer: the same bytes through one gRPC stream, from memory, not decoded. */

import { ForkedNode } from "../forked-node.ts";
import type { BareAnswer, BareConfig } from "./bare-stream-process.ts";

const FILE = new URL("./bare-stream-process.js", import.meta.url);

/** @returns how long the second stream takes, between two processes that the first has warmed. */
export async function bareStreamSeconds(bytes: number): Promise<number> {
  const server = new ForkedNode<object, BareAnswer>(FILE, { bytes } satisfies BareConfig);
  try {
    const { port } = await server.nextAnswer();
    const client = new ForkedNode<object, BareAnswer>(FILE, { bytes, port } satisfies BareConfig);
    try {
      const { seconds } = await client.nextAnswer();
      if (seconds === undefined) throw new Error("a bare stream told no time");
      return seconds;
    } finally {
      client.signal("SIGKILL");
    }
  } finally {
    server.signal("SIGKILL");
  }
}
