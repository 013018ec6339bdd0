/** Topics and configuration: on the leader of the metadata group. */

import {
  type ADMIN_SERVICE,
  type Handlers,
  OperationError,
  type ServerWritableStream,
} from "@quorumlog/protocol";
import {
  type Command,
  type CommandAnswer,
  type CreateTopicRequest,
  MessageType,
  type Metadata,
  type Topic,
  type WatchMetadataRequest,
} from "@quorumlog/protocol/messages";
import type { ClusterMetadata } from "@quorumlog/nameserver";
import type { BrokerGroup } from "../broker-group.ts";
import type { BrokerSettings } from "../broker-options.ts";
import { METADATA_GROUP_ID } from "../state/broker-machine.ts";
import { demandDone } from "./offsets-service.ts";

type WatchCall = ServerWritableStream<WatchMetadataRequest, Metadata.$Properties>;

type AdminSettings = Pick<BrokerSettings, "autoCreateTopics" | "defaultQueueCount">;

export class AdminService {
  readonly #group: BrokerGroup;
  readonly #settings: AdminSettings;
  readonly #watchers = new Set<MetadataWatcher>();

  constructor(group: BrokerGroup, settings: AdminSettings) {
    this.#group = group;
    this.#settings = settings;
  }

  handlers(): Handlers<typeof ADMIN_SERVICE> {
    return {
      createTopic: { unary: (request, { signal }) => this.#createTopic(request, signal) },
      alterTopic: { unary: (request) => this.#topic({ alterTopic: request }) },
      deleteTopic: {
        unary: async (request) => {
          await this.#execute({ deleteTopic: request });
          return {};
        },
      },
      putConfiguration: {
        unary: async (request) => {
          const { version } = await this.#execute({ putConfiguration: request });
          return { version };
        },
      },
      registerGroup: {
        unary: async (request) => {
          const { version } = await this.#execute({ registerGroup: request });
          return { version };
        },
      },
      watchMetadata: {
        serverStream: (call) => {
          this.#watch(call);
        },
      },
    };
  }

  /** There is a newer version: everybody is told, once in a turn. */
  onMetadata(): void {
    for (const watcher of this.#watchers) watcher.wake();
  }

  async #createTopic(request: CreateTopicRequest, signal: AbortSignal): Promise<Topic.$Properties> {
    const { name, isAutomatic } = request;
    const { autoCreateTopics, defaultQueueCount } = this.#settings;
    // Whoever leads decides: what is in the log is carried out by all.
    if (isAutomatic && !autoCreateTopics) {
      // Who has just begun to lead may not have heard of it yet.
      await this.#group.readBarrier(signal);
      if (this.#group.machine.metadata.topic(name) === undefined)
        throw new OperationError("UNKNOWN_TOPIC", `there is no topic "${name}": create it first`);
    }
    return this.#topic({
      createTopic: {
        name,
        queueCount: request.queueCount === 0 ? defaultQueueCount : request.queueCount,
        messageType: request.messageType || MessageType.MESSAGE_TYPE_NORMAL,
        groupIds: request.groupIds,
        isIdempotent: request.isIdempotent,
        isAutomatic,
      },
    });
  }

  async #topic(command: Command.$Properties): Promise<Topic.$Properties> {
    const { topic } = await this.#execute(command);
    return topic ?? {};
  }

  async #execute(command: Command.$Properties): Promise<CommandAnswer> {
    if (this.#group.groupId !== METADATA_GROUP_ID)
      throw new OperationError(
        "WRONG_GROUP",
        `metadata is decided in broker group ${METADATA_GROUP_ID}`,
      );
    const answer = await this.#group.execute(command);
    demandDone(answer);
    return answer;
  }

  #watch(call: WatchCall): void {
    const watcher = new MetadataWatcher(call, () =>
      metadataMessage(this.#group.machine.metadata.view()),
    );
    this.#watchers.add(watcher);
    const onOver = (): void => {
      this.#watchers.delete(watcher);
    };
    call.on("cancelled", onOver);
    call.on("error", onOver);
    call.on("close", onOver);
    watcher.wake();
  }
}

/** Tells the newest version, whenever the one before has gone out. */
class MetadataWatcher {
  readonly #call: WatchCall;
  readonly #view: () => Metadata.$Properties;
  #knownVersion: number;
  #isWaiting = false;

  constructor(call: WatchCall, view: () => Metadata.$Properties) {
    this.#call = call;
    this.#view = view;
    this.#knownVersion = call.request.knownVersion;
    call.on("drain", () => {
      this.#isWaiting = false;
      this.wake();
    });
  }

  wake(): void {
    if (this.#isWaiting) return;
    const metadata = this.#view();
    if ((metadata.version ?? 0) <= this.#knownVersion) return;
    this.#knownVersion = metadata.version ?? 0;
    this.#isWaiting = !this.#call.write(metadata);
  }
}

function metadataMessage({
  version,
  topics,
  configuration,
}: ClusterMetadata): Metadata.$Properties {
  return {
    version,
    topics: topics.map((topic) => ({ ...topic, queueGroupIds: [...topic.queueGroupIds] })),
    configuration: [...configuration],
  };
}
