import { freePort } from "@quorumlog/transport/testing";

/** Ports of this machine that nobody has, nor is given for a connection; all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
