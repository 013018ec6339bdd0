/** Ports that nobody listens on now. */

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** All different, as `127.0.0.1:port`. */
export async function freeAddresses(count: number): Promise<string[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  return servers.map((server) => {
    const { port } = server.address() as AddressInfo;
    server.close();
    return `127.0.0.1:${port}`;
  });
}
