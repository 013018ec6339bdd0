/**
 * The producers that have a publish stream to this node: who they are is said on each stream once,
 * and what they publish to once for each topic. It is gone with the stream, and with the node; that
 * their groups publish here is in the log: see producer-notes.ts.
 */

import { groupNameProblem, OperationError } from "@quorumlog/protocol";
import type { ProducerNotice } from "@quorumlog/protocol/messages";

/** Streams beyond this are served, and not told of. */
const SESSIONS_MAX = 10_000;
/** Of one stream, and of one notice. */
const TOPICS_MAX = 10_000;
/** Of all streams together. */
const ALL_TOPICS_MAX = 100_000;
const CLIENT_ID_BYTES_MAX = 255;
/** In ids they reach terminals and logs. */
const CONTROL = /\p{Cc}/u;

export class ProducerSession {
  readonly group: string;
  readonly clientId: string;
  /** Where its connection comes from, as `host:port`. */
  readonly address: string;
  readonly topicIds: Set<number> = new Set();
  /** By `performance.now()`, as `lastAt`. */
  readonly since: number;
  /** When it has published last. */
  lastAt: number;

  constructor(init: { group: string; clientId: string; address: string; now: number }) {
    this.group = init.group;
    this.clientId = init.clientId;
    this.address = init.address;
    this.since = init.now;
    this.lastAt = init.now;
  }
}

export class ProducerSessions {
  readonly #sessions = new Set<ProducerSession>();
  readonly #onTopic: (session: ProducerSession) => void;
  #topicCount = 0;
  #isTruncated = false;

  /** @param onTopic - Topics have come to a session. */
  constructor(onTopic: (session: ProducerSession) => void) {
    this.#onTopic = onTopic;
  }

  get sessions(): ReadonlySet<ProducerSession> {
    return this.#sessions;
  }

  /** There were more, or with more topics, than are kept, since the last ones have left. */
  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  /**
   * @param session - Of the stream, if it has spoken before.
   * @returns of the stream, from now on.
   * @throws OperationError `INVALID_ARGUMENT` with what does not fit
   */
  hear(
    session: ProducerSession | undefined,
    notice: ProducerNotice,
    stream: { readonly address: string; readonly now: number },
  ): ProducerSession {
    const { producerGroup: group, clientId, topicIds } = notice;
    demandNotice({ group, clientId, topicIds }, session);
    const heard = session ?? new ProducerSession({ group, clientId, ...stream });
    if (session === undefined && this.#sessions.size < SESSIONS_MAX) this.#sessions.add(heard);
    if (!this.#sessions.has(heard)) {
      this.#isTruncated = true;
      return heard;
    }
    for (const topicId of topicIds) {
      if (heard.topicIds.has(topicId)) continue;
      if (this.#topicCount >= ALL_TOPICS_MAX || heard.topicIds.size >= TOPICS_MAX) {
        this.#isTruncated = true;
        break;
      }
      heard.topicIds.add(topicId);
      this.#topicCount += 1;
    }
    this.#onTopic(heard);
    return heard;
  }

  /** Its stream is over. Idempotent. */
  leave(session: ProducerSession): void {
    if (!this.#sessions.delete(session)) return;
    this.#topicCount -= session.topicIds.size;
    if (this.#sessions.size === 0) this.#isTruncated = false;
  }
}

function demandNotice(
  notice: {
    readonly group: string;
    readonly clientId: string;
    readonly topicIds: readonly number[];
  },
  known: ProducerSession | undefined,
): void {
  const { group, clientId, topicIds } = notice;
  const groupProblem = groupNameProblem(group);
  if (groupProblem !== undefined) throw invalid("producer_group", groupProblem);
  const bytes = Buffer.byteLength(clientId);
  if (bytes < 1 || bytes > CLIENT_ID_BYTES_MAX)
    throw invalid("client_id", `${bytes} bytes are not in [1, ${CLIENT_ID_BYTES_MAX}]`);
  if (CONTROL.test(clientId)) throw invalid("client_id", "has control characters");
  const count = topicIds.length;
  if (count > TOPICS_MAX) throw invalid("topic_ids", `${count} are more than ${TOPICS_MAX}`);
  if (known === undefined || (known.group === group && known.clientId === clientId)) return;
  throw invalid("producer_group", "a stream is of one producer: it was another one before");
}

function invalid(name: string, problem: string): OperationError {
  const field = `producer.${name}`;
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}
