/**
 * A broker group that is small: queues in memory behind real ports, which speak the broker's
 * protocol and lose nothing. All nodes see the same queues; one of them leads.
 */

import {
  BROKER_SERVICE,
  endWith,
  errorDetail,
  OperationError,
  RecordBatch,
  RpcServer,
} from "@quorumlog/protocol";
import {
  type BatchResult,
  Durability,
  type FetchReply,
  type FetchRequest,
  type PublishReply,
  type PublishRequest,
  type QueueBatches,
  type QueuePosition,
  Reached,
} from "@quorumlog/protocol/messages";
import { SmallCoordinator } from "./small-coordinator.ts";
import { SmallOffsets } from "./small-offsets.ts";

interface Stored {
  readonly baseOffset: number;
  readonly storeTimestampMs: number;
  readonly bytes: Buffer;
}

interface SmallQueue {
  readonly batches: Stored[];
  firstOffset: number;
  endOffset: number;
  /** By producer: number of the last batch, and where those before it are. */
  readonly producers: Map<number, { last: number; offsets: Map<number, number> }>;
}

interface ParkedFetch {
  readonly answer: (isLast: boolean) => boolean;
}

type Publisher = { write(reply: PublishReply.$Properties): unknown };

export class SmallGroup {
  readonly groupId: number;
  readonly nodes: Map<number, RpcServer> = new Map();
  readonly offsets: SmallOffsets;
  readonly coordinator: SmallCoordinator = new SmallCoordinator();
  term = 1;
  leaderNodeId = 1;
  /** What a test does to publishes, before they are looked at; an answer of its own, if any. */
  onPublish: (nodeId: number, request: PublishRequest) => OperationError | "ignore" | undefined =
    () => undefined;
  /** Stores, and breaks the stream instead of answering: so many times. */
  lostAnswers = 0;
  delayMs = 0;
  /** Of every publish request, how many batches it had. */
  readonly containers: number[] = [];
  readonly fetches: { nodeId: number; request: FetchRequest }[] = [];
  suggestedNodeId = 0;
  suggestedUntil: number = Number.MAX_SAFE_INTEGER;
  readonly #queues = new Map<string, SmallQueue>();
  readonly #parked = new Set<ParkedFetch>();

  constructor(groupId: number) {
    this.groupId = groupId;
    this.offsets = new SmallOffsets(this);
  }

  static async open(groupId: number, nodeIds: readonly number[]): Promise<SmallGroup> {
    const group = new SmallGroup(groupId);
    group.leaderNodeId = nodeIds[0] as number;
    for (const nodeId of nodeIds) await group.startNode(nodeId, "127.0.0.1:0");
    return group;
  }

  async startNode(nodeId: number, listen: string): Promise<void> {
    const server = new RpcServer({
      listen,
      onDefect: (error) => {
        throw error;
      },
    });
    server.handle(BROKER_SERVICE, {
      publish: {
        duplex: (call) => {
          call.on("data", (request: PublishRequest) => {
            this.#onPublish(nodeId, request, call);
          });
          call.on("end", () => call.end());
          call.on("error", () => undefined);
        },
      },
      fetch: {
        duplex: (call) => {
          call.on("data", (request: FetchRequest) => {
            this.#onFetch(nodeId, request, call);
          });
          call.on("end", () => call.end());
          call.on("error", () => undefined);
        },
      },
      queryOffsets: {
        unary: ({ topicId, queue, storeTimestampMs }) => {
          const found = this.queue(topicId, queue);
          const later = found.batches.find((one) => one.storeTimestampMs >= storeTimestampMs);
          return {
            firstOffset: found.firstOffset,
            endOffset: found.endOffset,
            offsetAtTime: later?.baseOffset ?? found.endOffset,
          };
        },
      },
      listProducers: { unary: () => ({}) },
      // All batches may have it: the client compares keys.
      queryByKey: {
        unary: ({ topicId }) => ({
          queues: [0, 1, 2, 3].map((queue) => ({
            topicId,
            queue,
            batches: this.queue(topicId, queue).batches.map(({ bytes, ...one }) => ({
              ...one,
              batch: bytes,
            })),
          })),
          isTruncated: false,
        }),
      },
    });
    this.offsets.serve(server);
    this.coordinator.serve(server, () =>
      nodeId === this.leaderNodeId ? undefined : this.notLeader(),
    );
    await server.open();
    this.nodes.set(nodeId, server);
  }

  address(nodeId: number): string {
    return `127.0.0.1:${(this.nodes.get(nodeId) as RpcServer).port}`;
  }

  /** As a process that is killed. */
  async kill(nodeId: number): Promise<void> {
    await this.nodes.get(nodeId)?.close(0);
  }

  elect(nodeId: number): void {
    this.term += 1;
    this.leaderNodeId = nodeId;
  }

  notLeader(): OperationError {
    const { groupId, term, leaderNodeId: nodeId } = this;
    return new OperationError("NOT_LEADER", `node ${nodeId} leads`, {
      leader: { groupId, term, nodeId, address: this.address(nodeId) },
    });
  }

  queue(topicId: number, number: number): SmallQueue {
    const name = `${topicId}-${number}`;
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = { batches: [], firstOffset: 0, endOffset: 0, producers: new Map() };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Stores a batch, whatever is in it. */
  store(topicId: number, number: number, bytes: Buffer, count: number): number {
    const queue = this.queue(topicId, number);
    const baseOffset = queue.endOffset;
    queue.batches.push({ baseOffset, storeTimestampMs: Date.now(), bytes });
    queue.endOffset += count;
    for (const parked of this.#parked) if (parked.answer(false)) this.#parked.delete(parked);
    return baseOffset;
  }

  async close(): Promise<void> {
    for (const server of this.nodes.values()) await server.close(0);
  }

  #onPublish(nodeId: number, request: PublishRequest, call: Publisher): void {
    this.containers.push(request.batches.length);
    const { requestId } = request;
    const told = this.onPublish(nodeId, request);
    if (told === "ignore") return;
    const error = told ?? (nodeId === this.leaderNodeId ? undefined : this.notLeader());
    if (error !== undefined) {
      call.write({ requestId, error: errorDetail(error) });
      return;
    }
    const results = request.batches.map((bytes) => this.#apply(bytes as Buffer));
    if (this.lostAnswers > 0) {
      this.lostAnswers -= 1;
      endWith(call as never, new OperationError("UNAVAILABLE", "the answer is lost"));
      return;
    }
    const reply = {
      requestId,
      reached: Reached.REACHED_SYNCED,
      term: this.term,
      index: 1,
      results,
    };
    const isQuorum = request.durability === Durability.DURABILITY_QUORUM;
    const answer = (): void => {
      call.write(isQuorum ? reply : { ...reply, results: [] });
    };
    if (this.delayMs > 0) setTimeout(answer, this.delayMs);
    else answer();
  }

  #apply(bytes: Buffer): BatchResult.$Properties {
    const batch = RecordBatch.check(bytes);
    if (typeof batch === "string")
      return { error: errorDetail(new OperationError("INVALID_BATCH", batch)) };
    const { topicId, queue: number, producerId, sequence } = batch;
    const storeTimestampMs = Date.now();
    if (producerId !== 0) {
      const { producers } = this.queue(topicId, number);
      const producer = producers.get(producerId) ?? { last: 0, offsets: new Map() };
      producers.set(producerId, producer);
      const known = producer.offsets.get(sequence);
      if (known !== undefined) return { baseOffset: known, storeTimestampMs, isDuplicate: true };
      if (sequence !== producer.last + 1)
        return {
          error: errorDetail(new OperationError("SEQUENCE_GAP", `${producer.last} to ${sequence}`)),
        };
      producer.last = sequence;
      producer.offsets.set(sequence, this.queue(topicId, number).endOffset);
    }
    const baseOffset = this.store(topicId, number, Buffer.from(bytes), batch.recordCount);
    return { baseOffset, storeTimestampMs };
  }

  #onFetch(
    nodeId: number,
    request: FetchRequest,
    call: { write(reply: FetchReply.$Properties): unknown },
  ): void {
    this.fetches.push({ nodeId, request });
    const answer = (isLast: boolean): boolean => {
      const queues = request.positions.map((position) => this.#read(request, position));
      const found = queues.filter((one) => one !== undefined);
      if (found.length === 0 && !isLast) return false;
      clearTimeout(timer);
      const { requestId } = request;
      // To a follower nothing is suggested.
      const suggestedNodeId = nodeId === this.suggestedNodeId ? 0 : this.suggestedNodeId;
      const suggestion = { suggestedNodeId, suggestedUntilOffset: this.suggestedUntil };
      call.write({ requestId, queues: found.map((queue) => ({ ...queue, ...suggestion })) });
      return true;
    };
    const parked = { answer };
    const timer = setTimeout(() => {
      this.#parked.delete(parked);
      answer(true);
    }, request.waitMs);
    if (!answer(false)) this.#parked.add(parked);
  }

  #read(
    { consumerGroup }: FetchRequest,
    position: QueuePosition.$Properties,
  ): QueueBatches.$Properties | undefined {
    const { topicId = 0, queue: number = 0, offset = 0 } = position;
    const queue = this.queue(topicId ?? 0, number ?? 0);
    const { firstOffset, endOffset } = queue;
    const place = { topicId, queue: number, firstOffset, endOffset };
    const wanted = offset ?? 0;
    if (this.offsets.isStale(consumerGroup, place, position.fencingToken ?? undefined)) {
      const error = new OperationError("STALE_FENCING_TOKEN", "claimed since");
      return { ...place, nextOffset: wanted, error: errorDetail(error) };
    }
    if (wanted < firstOffset || wanted > endOffset) {
      const range = { firstOffset, nextOffset: endOffset };
      const error = new OperationError("OFFSET_OUT_OF_RANGE", `${wanted} is not there`, { range });
      return { ...place, nextOffset: wanted, error: errorDetail(error) };
    }
    if (wanted === endOffset) return undefined;
    const at = queue.batches.findLastIndex(({ baseOffset }) => baseOffset <= wanted);
    const batches = queue.batches.slice(at, at + 4).map(({ bytes, ...one }) => ({
      ...one,
      batch: bytes,
    }));
    const nextOffset = queue.batches[at + 4]?.baseOffset ?? endOffset;
    return { ...place, nextOffset, batches };
  }
}
