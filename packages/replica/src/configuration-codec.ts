/**
 * A configuration as bytes, in messages and in snapshot files. Little endian.
 *
 *      0  u8   version, 1
 *      1  u8   autoLeave, 0 or 1
 *      2  u16  count of voters, then of votersOutgoing, learners, learnersNext
 *     10       the members of each in that order: u64 id, u64 incarnation
 *
 * Equal configurations have equal bytes, and no others.
 */

import { type Configuration, configurationProblem, type Member } from "@quorumlog/raft";
import { assert } from "@quorumlog/std";
import { ByteReader, ByteWriter } from "./byte-order.ts";

const VERSION = 1;
const HEADER_BYTES = 10;
const MEMBER_BYTES = 16;

/** The bytes of a sound configuration; owned by the caller. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  assert(configurationProblem(configuration) === undefined, "only what is sound is encoded");
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  const lists = [voters, votersOutgoing, learners, learnersNext];
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  const bytes = Buffer.alloc(HEADER_BYTES + count * MEMBER_BYTES);
  const writer = new ByteWriter(bytes);
  writer.uint8(VERSION);
  writer.flag(autoLeave);
  for (const list of lists) writer.uint16(list.length);
  for (const list of lists)
    for (const { id, incarnation } of list) {
      writer.uint64(id);
      writer.uint64(incarnation);
    }
  return bytes;
}

/**
 * Reads what {@link encodeConfiguration} wrote.
 *
 * @returns `undefined` for anything else: these bytes may come from a peer.
 */
export function decodeConfiguration(bytes: Uint8Array): Configuration | undefined {
  const reader = new ByteReader(bytes);
  const version = reader.uint8();
  const autoLeave = reader.flag();
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()] as const;
  const count = counts[0] + counts[1] + counts[2] + counts[3];
  if (version !== VERSION || reader.remaining !== count * MEMBER_BYTES) return undefined;
  const configuration: Configuration = {
    voters: readMembers(reader, counts[0]),
    votersOutgoing: readMembers(reader, counts[1]),
    learners: readMembers(reader, counts[2]),
    learnersNext: readMembers(reader, counts[3]),
    autoLeave,
  };
  const isSound = reader.isWhole && configurationProblem(configuration) === undefined;
  return isSound ? configuration : undefined;
}

function readMembers(reader: ByteReader, count: number): Member[] {
  const members: Member[] = [];
  for (let i = 0; i < count; i++)
    members.push({ id: reader.uint64(), incarnation: reader.uint64() });
  return members;
}
