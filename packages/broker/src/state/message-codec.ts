/** Rows that are protobuf messages. */

import type { Codec } from "@quorumlog/tables";
import {
  BeginReignCommand,
  ConfigurationValue,
  ConsumerGroup,
  ConsumerProgress,
  NoteMetadataNodesCommand,
  RegisterGroupCommand,
  Topic,
} from "@quorumlog/protocol/messages";

interface Generated<Sent, Received> {
  encode(message: Sent): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Received;
}

function codecOf<Sent, Received extends Sent>(message: Generated<Sent, Received>): Codec<Received> {
  return {
    encode: (value) => message.encode(value).finish(),
    decode: (bytes) => message.decode(bytes),
  };
}

export const topicCodec: Codec<Topic> = codecOf(Topic);
export const configurationCodec: Codec<ConfigurationValue> = codecOf(ConfigurationValue);
export const consumerGroupCodec: Codec<ConsumerGroup> = codecOf(ConsumerGroup);
export const groupCodec: Codec<RegisterGroupCommand> = codecOf(RegisterGroupCommand);
export const metadataNodesCodec: Codec<NoteMetadataNodesCommand> =
  codecOf(NoteMetadataNodesCommand);
export const reignCodec: Codec<BeginReignCommand> = codecOf(BeginReignCommand);
export const progressCodec: Codec<ConsumerProgress> = codecOf(ConsumerProgress);
