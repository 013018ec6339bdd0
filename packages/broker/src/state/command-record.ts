/**
 * A record of the log that is a command, told apart from a record batch:
 *
 *      0  u32  checksum    CRC-32 of everything behind it
 *      4  u32  0           where a batch has its length, which is never 0
 *      8       the command, as protobuf
 */

import { crc32 } from "node:zlib";
import {
  type AlterTopicCommand,
  type BeginReignCommand,
  type ClaimCommand,
  Command,
  CommandAnswer,
  type CommitBatchCommand,
  type CreateTopicCommand,
  type DeleteGroupRequest,
  type DeleteOffsetsRequest,
  type DeleteTopicCommand,
  type ExpireGroupsCommand,
  type ExpireOffsetsCommand,
  type JoinGroupCommand,
  type LeaveGroupCommand,
  type Metadata,
  type NoteMetadataNodesCommand,
  type NoteProducersCommand,
  type PutConfigurationCommand,
  type RaiseRulesCommand,
  type RefreshGroupRequest,
  type RegisterGroupCommand,
  type ResetOffsetsRequest,
} from "@quorumlog/protocol/messages";

/** What a command is about: the one field that is set. */
export type BrokerCommand =
  | { readonly kind: "createTopic"; readonly value: CreateTopicCommand }
  | { readonly kind: "alterTopic"; readonly value: AlterTopicCommand }
  | { readonly kind: "deleteTopic"; readonly value: DeleteTopicCommand }
  | { readonly kind: "putConfiguration"; readonly value: PutConfigurationCommand }
  | { readonly kind: "registerGroup"; readonly value: RegisterGroupCommand }
  | { readonly kind: "metadata"; readonly value: Metadata }
  | { readonly kind: "claim"; readonly value: ClaimCommand }
  | { readonly kind: "commitBatch"; readonly value: CommitBatchCommand }
  | { readonly kind: "joinGroup"; readonly value: JoinGroupCommand }
  | { readonly kind: "leaveGroup"; readonly value: LeaveGroupCommand }
  | { readonly kind: "refreshGroup"; readonly value: RefreshGroupRequest }
  | { readonly kind: "deleteGroup"; readonly value: DeleteGroupRequest }
  | { readonly kind: "resetOffsets"; readonly value: ResetOffsetsRequest }
  | { readonly kind: "deleteOffsets"; readonly value: DeleteOffsetsRequest }
  | { readonly kind: "beginReign"; readonly value: BeginReignCommand }
  | { readonly kind: "noteProducers"; readonly value: NoteProducersCommand }
  | { readonly kind: "expireGroups"; readonly value: ExpireGroupsCommand }
  | { readonly kind: "expireOffsets"; readonly value: ExpireOffsetsCommand }
  | { readonly kind: "noteMetadataNodes"; readonly value: NoteMetadataNodesCommand }
  | { readonly kind: "raiseRules"; readonly value: RaiseRulesCommand };

const KINDS: readonly BrokerCommand["kind"][] = [
  "createTopic",
  "alterTopic",
  "deleteTopic",
  "putConfiguration",
  "registerGroup",
  "metadata",
  "claim",
  "commitBatch",
  "joinGroup",
  "leaveGroup",
  "refreshGroup",
  "deleteGroup",
  "resetOffsets",
  "deleteOffsets",
  "beginReign",
  "noteProducers",
  "expireGroups",
  "expireOffsets",
  "noteMetadataNodes",
  "raiseRules",
];

const HEADER_BYTES = 8;
const BATCH_LENGTH_AT = 4;

export function commandRecord(command: Command.$Properties): Buffer {
  const body = Command.encode(command).finish();
  const record = Buffer.alloc(HEADER_BYTES + body.length);
  record.set(body, HEADER_BYTES);
  record.writeUInt32LE(crc32(record.subarray(BATCH_LENGTH_AT)), 0);
  return record;
}

export function isCommand(record: Buffer): boolean {
  return record.length >= HEADER_BYTES && record.readUInt32LE(BATCH_LENGTH_AT) === 0;
}

/**
 * @returns `undefined` for bytes that are none, in any version; `later` for a command that says
 *   something, and nothing that is known here.
 */
export function parseCommand(record: Buffer): BrokerCommand | "later" | undefined {
  if (!isCommand(record)) return undefined;
  if (crc32(record.subarray(BATCH_LENGTH_AT)) !== record.readUInt32LE(0)) return undefined;
  try {
    const body = record.subarray(HEADER_BYTES);
    const command = theOne(Command.decode(body));
    return command === undefined && body.length > 0 ? "later" : command;
  } catch {
    // It says what no command says; whoever proposed it is told.
    return undefined;
  }
}

/** What is nested was decoded as well: its type says less than it is. */
function theOne(command: Command): BrokerCommand | undefined {
  const kind = KINDS.find((each) => command[each]);
  return kind === undefined ? undefined : ({ kind, value: command[kind] } as BrokerCommand);
}

export function commandAnswer(answer: CommandAnswer.$Properties): Uint8Array {
  return CommandAnswer.encode(answer).finish();
}

export function parseCommandAnswer(bytes: Uint8Array): CommandAnswer {
  return CommandAnswer.decode(bytes);
}
