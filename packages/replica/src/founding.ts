/**
 * How a group begins: one empty snapshot, the same on all its founders, which names them (thesis
 * §4.4). It has a position in the log, but no file.
 */

import type { LogBase } from "@quorumlog/log";
import { type Configuration, EMPTY_CONFIGURATION, type Member } from "@quorumlog/raft";
import { encodeConfiguration } from "./configuration-codec.ts";

/** The position that a founding stands at. */
export const FOUNDING_INDEX = 1;
const FOUNDING_TERM = 1;
/** Of founders that do not tell each other which life of their disks they are in. */
export const FOUNDER_INCARNATION = 1;

/** What the log of a founder begins behind. */
export function foundingBase(founders: readonly Member[]): LogBase {
  const voters = founders.toSorted((a, b) => a.id - b.id);
  const configuration: Configuration = { ...EMPTY_CONFIGURATION, voters };
  return {
    index: FOUNDING_INDEX,
    term: FOUNDING_TERM,
    configuration: encodeConfiguration(configuration),
  };
}

/** What the log of a node begins behind that is to be added to a group: nothing. */
export function joiningBase(): LogBase {
  return { index: 0, term: 0, configuration: encodeConfiguration(EMPTY_CONFIGURATION) };
}
