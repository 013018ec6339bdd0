/**
 * How a group begins: one empty snapshot, the same on all its founders, which names them (thesis
 * §4.4). It has a position in the log, but no file.
 */

import type { LogBase } from "@quorumlog/log";
import { type Configuration, EMPTY_CONFIGURATION, type Member } from "@quorumlog/raft";
import { createHash } from "node:crypto";
import { encodeConfiguration } from "./configuration-codec.ts";

/** The position that a founding stands at. */
export const FOUNDING_INDEX = 1;
const FOUNDING_TERM = 1;
/** Of founders that do not tell each other which life of their disks they are in. */
export const FOUNDER_INCARNATION = 1;
export const DIGEST_BYTES = 8;

/** What the log of a founder begins behind. */
export function foundingBase(founders: readonly Member[]): LogBase {
  return {
    index: FOUNDING_INDEX,
    term: FOUNDING_TERM,
    configuration: encodeConfiguration(foundingConfiguration(founders)),
  };
}

/** What the log of a node begins behind that is to be added to a group: nothing. */
export function joiningBase(): LogBase {
  return { index: 0, term: 0, configuration: encodeConfiguration(EMPTY_CONFIGURATION) };
}

/** The founders as voters, in the order that all of them put themselves in. */
export function foundingConfiguration(founders: readonly Member[]): Configuration {
  return { ...EMPTY_CONFIGURATION, voters: founders.toSorted((a, b) => a.id - b.id) };
}

/** A name for a founding, in hex: no two sets of lives have the same, but by 64 bits of chance. */
export function foundingDigest(founders: readonly Member[]): string {
  const bytes = encodeConfiguration(foundingConfiguration(founders));
  return createHash("sha256")
    .update(bytes)
    .digest("hex")
    .slice(0, 2 * DIGEST_BYTES);
}
