/** A publisher of any system, as a process: `node publisher-process.js JSON`. */

import type { PeerClient } from "./peer-system.ts";
import { systemNamed } from "./peer-systems.ts";
import { type PublishFigures, Publisher, type Pulse } from "./publisher.ts";
import type { Published } from "./read-audit.ts";

export interface PeerClientConfig {
  readonly system: string;
}

/** A topic is begun by the process that writes it, and by the one that reads it. */
export interface BeginTopic {
  readonly type: "begin";
  readonly addresses: readonly string[];
  readonly topic: string;
  readonly bodyBytes: number;
}

export type PublisherRequest =
  | BeginTopic
  | {
      readonly type: "publish";
      readonly inFlight: number;
      readonly ms: number;
      readonly messagesMax: number;
    }
  | { readonly type: "start-pace"; readonly perSecond: number }
  | { readonly type: "mark" }
  | { readonly type: "pulse" }
  | { readonly type: "end-pace" }
  | { readonly type: "published" };

export interface PublisherAnswer {
  readonly figures?: PublishFigures;
  readonly markedAt?: number;
  readonly pulse?: Pulse;
  readonly published?: Published;
}

const { system } = JSON.parse(process.argv[2] ?? "{}") as PeerClientConfig;
let client: PeerClient | undefined;
let publisher: Publisher | undefined;

async function answerTo(request: PublisherRequest): Promise<PublisherAnswer> {
  if (request.type === "begin") {
    await client?.close();
    client = await systemNamed(system).connect(request.addresses);
    publisher = new Publisher(client, request.topic, request.bodyBytes);
    return {};
  }
  if (publisher === undefined) throw new Error("no topic was begun");
  switch (request.type) {
    case "publish": {
      const { inFlight, ms, messagesMax } = request;
      return { figures: await publisher.publish(inFlight, ms, messagesMax) };
    }
    case "start-pace":
      publisher.startPace(request.perSecond);
      return {};
    case "mark":
      return { markedAt: publisher.mark() };
    case "pulse":
      return { pulse: publisher.pulse() };
    case "end-pace":
      return { figures: await publisher.endPace() };
    default:
      return { published: publisher.published };
  }
}

process.on("message", (request: PublisherRequest) => {
  answerTo(request).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({});
