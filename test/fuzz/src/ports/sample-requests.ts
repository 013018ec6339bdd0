/** A sound request of every method of every port: what the fuzzer begins with. */

import {
  ADMIN_SERVICE,
  BROKER_SERVICE,
  COORDINATOR_SERVICE,
  NAME_SERVER_SERVICE,
  NODE_SERVICE,
  OFFSETS_SERVICE,
} from "@quorumlog/protocol";
import {
  CoordinatorMessage,
  ErrorDetail,
  FetchReply,
  PublishReply,
  RemoveNodeRequest,
  ReplaceNodeRequest,
} from "@quorumlog/protocol/messages";

export interface Sample {
  readonly path: string;
  readonly bytes: Buffer;
  readonly isStream: boolean;
  /** Errors that are said within an answer. */
  readonly errorsIn?: (answer: Buffer) => readonly (ErrorDetail.$Properties | null | undefined)[];
  /** What would be a sound change that the cluster does not survive. */
  readonly isForbidden?: (request: Buffer) => boolean;
}

interface AnyMethod<Request> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly requestSerialize: (request: Request) => Buffer;
}

const MEMBERS = new Set([1, 2, 3]);
const STRANGER = 9;

export function nameServerSamples(): Sample[] {
  const { register, watchCluster, getCluster } = NAME_SERVER_SERVICE;
  const group = { groupId: 7, name: "broker-x", term: 1, leaderNodeId: 9, voterNodeIds: [9] };
  const topic = { name: "t", topicId: 1, messageType: 1, queueGroupIds: [7], version: 1 };
  return [
    sample(register, {
      // Of another cluster: what it says is true there.
      clusterId: "elsewhere",
      nodeId: STRANGER,
      address: "127.0.0.1:1",
      group,
      metadata: {
        version: 1,
        topics: [topic],
        configuration: [{ namespace: "n", key: "k", value: "v" }],
      },
    }),
    sample(watchCluster, { clusterId: "fuzz", topics: ["canary"] }),
    sample(getCluster, { clusterId: "fuzz", topics: ["canary"] }),
    ...descriptions(),
  ];
}

/** @param topicId - Of the topic that may be filled with anything. */
export function brokerSamples(topicId: number): Sample[] {
  const queue = { topicId, queue: 0 };
  const member = { group: "fuzzers", memberId: "m", epoch: 1 };
  const { publish, fetch, queryOffsets, queryByKey, listProducers } = BROKER_SERVICE;
  const { claim, commit, getOffsets, resetOffsets, deleteOffsets, listOffsetGroups } =
    OFFSETS_SERVICE;
  const { join, listGroups, describeGroup, refreshGroup, deleteGroup, findDormantGroups } =
    COORDINATOR_SERVICE;
  const positions = [{ ...queue, offset: 0, tags: ["a"], bytesMax: 1_000 }];
  return [
    {
      ...sample(publish, {
        requestId: 1,
        timeoutMs: 200,
        batches: [Buffer.from("no batch")],
        producer: { producerGroup: "fuzzers", clientId: "f", topicIds: [topicId, 7] },
      }),
      errorsIn: (answer) => {
        const { error, results } = PublishReply.decode(answer);
        return [error, ...results.map((result) => result.error)];
      },
    },
    {
      ...sample(fetch, { requestId: 1, positions, bytesMax: 1_000, waitMs: 100 }),
      errorsIn: (answer) => {
        const { error, queues } = FetchReply.decode(answer);
        return [error, ...queues.map((each) => each.error)];
      },
    },
    sample(queryOffsets, { ...queue, storeTimestampMs: 5 }),
    sample(queryByKey, { topicId, key: "key 1", fromMs: 0, toMs: 0, countMax: 5 }),
    sample(listProducers, { producerGroup: "fuzzers", topicId }),
    sample(claim, { ...member, queues: [queue], leaseMs: 1_000 }),
    sample(commit, { ...member, offsets: [{ ...queue, offset: 1 }] }),
    sample(getOffsets, { group: "fuzzers", queues: [queue] }),
    sample(resetOffsets, { group: "fuzzers", offsets: [{ ...queue, offset: 0 }] }),
    sample(deleteOffsets, { group: "fuzzers", epoch: 5 }),
    sample(listOffsetGroups, {}),
    sample(listGroups, {}),
    sample(describeGroup, { group: "fuzzers" }),
    sample(refreshGroup, { group: "fuzzers" }),
    sample(deleteGroup, { group: "fuzzers" }),
    sample(findDormantGroups, { groups: ["fuzzers"] }),
    {
      ...sample(join, {
        join: {
          group: "fuzzers",
          memberId: "m",
          mode: 1,
          strategy: 4,
          subscriptions: [{ topic: "fuzz", tagExpression: "a || b" }],
          sessionTimeoutMs: 6_000,
        },
      }),
      errorsIn: (answer) => [CoordinatorMessage.decode(answer).error],
    },
    ...adminSamples(),
    ...descriptions(),
  ];
}

function adminSamples(): Sample[] {
  const { createTopic, alterTopic, deleteTopic, putConfiguration, registerGroup, watchMetadata } =
    ADMIN_SERVICE;
  const { getStatus, transferLeadership, addNode, removeNode, replaceNode } = NODE_SERVICE;
  const peerAddress = "127.0.0.1:1";
  return [
    sample(createTopic, { name: "made", messageType: 1, queueCount: 2, isIdempotent: true }),
    sample(alterTopic, { name: "made", queueCount: 3, isReadable: true }),
    sample(deleteTopic, { name: "made" }),
    sample(putConfiguration, { namespace: "n", key: "k", value: "v" }),
    sample(registerGroup, { groupId: 1, name: "broker-a" }),
    sample(watchMetadata, { knownVersion: 0 }),
    sample(getStatus, {}),
    sample(transferLeadership, { nodeId: 2 }),
    sample(addNode, { nodeId: STRANGER, peerAddress }),
    {
      ...sample(removeNode, { nodeId: STRANGER }),
      isForbidden: (bytes) => MEMBERS.has(RemoveNodeRequest.decode(bytes).nodeId),
    },
    {
      ...sample(replaceNode, { formerNodeId: STRANGER, nodeId: 8, peerAddress }),
      isForbidden: (bytes) => MEMBERS.has(ReplaceNodeRequest.decode(bytes).formerNodeId),
    },
  ];
}

/** Of libraries that every port has. */
function descriptions(): Sample[] {
  const service = Buffer.concat([Buffer.of(0x0a, 20), Buffer.from("quorumlog.v1.Broker.")]);
  const symbol = Buffer.concat([Buffer.of(0x22, 19), Buffer.from("quorumlog.v1.Broker")]);
  return [
    { path: "/grpc.health.v1.Health/Check", bytes: service, isStream: false },
    { path: "/grpc.health.v1.Health/Watch", bytes: service, isStream: false },
    {
      path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      bytes: symbol,
      isStream: true,
    },
  ];
}

function sample<Request>(method: AnyMethod<Request>, request: Request): Sample {
  const { path, requestStream: isStream, requestSerialize } = method;
  return { path, bytes: requestSerialize(request), isStream };
}
