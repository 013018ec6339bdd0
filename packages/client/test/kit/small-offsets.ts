/** How far consumer groups are, in memory: with the fences that the broker has. */

import { errorDetail, OFFSETS_SERVICE, OperationError, type RpcServer } from "@quorumlog/protocol";
import type { QueueRef } from "@quorumlog/protocol/messages";
import type { SmallGroup } from "./small-group.ts";

const { claim, commit, getOffsets } = OFFSETS_SERVICE;
/** What consumers use; for the rest there is a real cluster. */
const MEMBER_SERVICE = { claim, commit, getOffsets };

interface Progress {
  epoch: number;
  offset: number;
  token: number;
}

export class SmallOffsets {
  readonly #group: SmallGroup;
  /** Behind each commit that was done: what is answered instead, if anything. */
  onCommitted: () => OperationError | undefined = () => undefined;
  /** What the page behind one is asked with, of lists that are asked for page by page. */
  onPage: (page: string) => string = () => "";
  readonly #progress = new Map<string, Progress>();

  constructor(group: SmallGroup) {
    this.#group = group;
  }

  /** -1: nothing was committed. */
  committed(group: string, topicId: number, queue: number): number {
    return this.#of(group, topicId, queue).offset;
  }

  /** As a reset does, or another claim: whoever has it is told, and claims it anew. */
  fence(group: string, topicId: number, queue: number): void {
    this.#of(group, topicId, queue).token += 1;
  }

  /** Whether the token is older than the last one. */
  isStale(group: string, place: QueueRef.$Properties, token: number | undefined): boolean {
    return (
      token !== undefined && token < this.#of(group, place.topicId ?? 0, place.queue ?? 0).token
    );
  }

  serve(server: RpcServer): void {
    server.handle(MEMBER_SERVICE, {
      claim: {
        unary: ({ group, epoch, queues }) => ({
          queues: queues.map(({ topicId = 0, queue = 0 }) => {
            const progress = this.#of(group, topicId ?? 0, queue ?? 0);
            if (epoch < progress.epoch)
              return { topicId, queue, error: errorDetail(stale(progress.epoch)) };
            progress.epoch = epoch;
            progress.token += 1;
            const { offset: committedOffset, token: fencingToken } = progress;
            return { topicId, queue, committedOffset, fencingToken };
          }),
        }),
      },
      commit: {
        unary: ({ group, epoch, offsets }) => {
          const errors = offsets.map(({ topicId = 0, queue = 0, offset, fencingToken }) => {
            const progress = this.#of(group, topicId ?? 0, queue ?? 0);
            if (epoch < progress.epoch) return errorDetail(stale(progress.epoch));
            if (this.isStale(group, { topicId, queue }, fencingToken ?? 0))
              return errorDetail(new OperationError("STALE_FENCING_TOKEN", "claimed since"));
            progress.offset = offset ?? progress.offset;
            return {};
          });
          const error = this.onCommitted();
          if (error !== undefined) throw error;
          return { errors };
        },
      },
      getOffsets: {
        unary: ({ group, queues, page }) => ({
          nextPage: this.onPage(page),
          offsets: queues.map(({ topicId = 0, queue = 0 }) => ({
            topicId,
            queue,
            committedOffset: this.#of(group, topicId ?? 0, queue ?? 0).offset,
            fencingToken: this.#of(group, topicId ?? 0, queue ?? 0).token,
            epoch: this.#of(group, topicId ?? 0, queue ?? 0).epoch,
            committedAtMs: 1,
            endOffset: this.#group.queue(topicId ?? 0, queue ?? 0).endOffset,
          })),
        }),
      },
    });
  }

  #of(group: string, topicId: number, queue: number): Progress {
    const name = `${group}/${topicId}/${queue}`;
    let progress = this.#progress.get(name);
    if (progress === undefined) {
      progress = { epoch: 0, offset: -1, token: 0 };
      this.#progress.set(name, progress);
    }
    return progress;
  }
}

function stale(epoch: number): OperationError {
  return new OperationError("STALE_EPOCH", `epoch ${epoch} is newer`);
}
