/** All systems that the bench knows, and which of them are here. */

import { findProgram } from "./installed-program.ts";
import type { GivenFolders, PeerSystem } from "./peer-system.ts";
import { ETCD } from "./systems/etcd.ts";
import { KAFKA } from "./systems/kafka.ts";
import { NATS } from "./systems/nats.ts";
import { QUORUMLOG } from "./systems/quorumlog.ts";
import { RABBITMQ } from "./systems/rabbitmq.ts";

/** This project comes first: others are compared with it. */
export const SYSTEMS: readonly PeerSystem[] = [QUORUMLOG, RABBITMQ, NATS, ETCD, KAFKA];

/** @throws if there is none of that name. */
export function systemNamed(name: string): PeerSystem {
  const system = SYSTEMS.find((each) => each.name === name);
  if (system === undefined) throw new Error(`there is no system "${name}"`);
  return system;
}

/** @returns what it lacks here: programs that are not installed, and a flag with a folder. */
export function missingParts(system: PeerSystem, folders: GivenFolders): string[] {
  const { programs, folderFlag } = system;
  const missing = programs.filter((program) => findProgram(program) === undefined);
  const isGiven = folderFlag === undefined || folders[folderFlag] !== undefined;
  return isGiven ? missing : [...missing, `--${folderFlag}`];
}
