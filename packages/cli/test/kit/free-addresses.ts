/** Ports that nobody listens on now, and that no connection is given meanwhile. */

import { freePort } from "@quorumlog/transport/testing";

/** All different, as `127.0.0.1:port`. */
export async function freeAddresses(count: number): Promise<string[]> {
  const addresses: string[] = [];
  while (addresses.length < count) addresses.push(`127.0.0.1:${await freePort()}`);
  return addresses;
}
