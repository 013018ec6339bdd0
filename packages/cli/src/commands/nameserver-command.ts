/** `quorumlog nameserver`: says where things are, and keeps nothing on a disk. */

import { NameServer } from "@quorumlog/nameserver";
import { type Command, text } from "../command.ts";
import { aborted, tellParent } from "../process-life.ts";

export const NAMESERVER: Command = {
  name: "nameserver",
  about: "runs a NameServer",
  settings: {
    listen: {
      type: "text",
      about: "host:port for brokers and clients",
      fallback: "127.0.0.1:9876",
    },
    clusterId: { type: "text", about: "serves this cluster alone; default: any" },
  },
  async run({ settings, signal }) {
    const { clusterId } = settings;
    const server = await NameServer.open(
      {
        listen: text(settings, "listen"),
        ...(clusterId === undefined ? {} : { clusterId: String(clusterId) }),
      },
      { onDefect },
    );
    console.log(`NameServer on ${server.address}`);
    tellParent({ type: "ready", address: server.address });
    await aborted(signal);
    await server.close();
  },
};

/** A defect in a handler: whoever started the process starts it again. */
function onDefect(error: unknown): void {
  console.error(error);
  process.exit(70);
}
