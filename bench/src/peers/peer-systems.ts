/** All systems that the bench knows, and which of them are here. */

import { findProgram } from "./installed-program.ts";
import type { PeerSystem } from "./peer-system.ts";
import { ETCD } from "./systems/etcd.ts";
import { NATS } from "./systems/nats.ts";
import { QUORUMLOG } from "./systems/quorumlog.ts";
import { RABBITMQ } from "./systems/rabbitmq.ts";

/** This project comes first: others are compared with it. */
export const SYSTEMS: readonly PeerSystem[] = [QUORUMLOG, RABBITMQ, NATS, ETCD];

/** @throws if there is none of that name. */
export function systemNamed(name: string): PeerSystem {
  const system = SYSTEMS.find((each) => each.name === name);
  if (system === undefined) throw new Error(`there is no system "${name}"`);
  return system;
}

/** @returns of its programs those that are not installed. */
export function missingPrograms({ programs }: Pick<PeerSystem, "programs">): string[] {
  return programs.filter((program) => findProgram(program) === undefined);
}
