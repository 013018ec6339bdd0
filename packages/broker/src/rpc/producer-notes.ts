/**
 * Puts into the log that producer groups publish to topics here: on the leader, when that is new to
 * the log, and once an hour while it is so. However many producers there are, and however much they
 * publish, it is one record for each group and topic in an hour, and many of them in one.
 */

import { type BROKER_SERVICE, type Handlers, OperationError } from "@quorumlog/protocol";
import type {
  ListProducersReply,
  ListProducersRequest,
  LiveProducer,
  NotedProducerGroup,
} from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";
import { NOTES_PER_COMMAND_MAX } from "../state/producer-groups.ts";
import { type ProducerSession, ProducerSessions } from "./producer-sessions.ts";

/** So many may begin at once. */
const TICK_MS = 500;
/** How often those that have begun before are looked at. */
const LOOK_MS = 30_000;
/** Of one answer. */
const LISTED_TOPICS_MAX = 100_000;
/** Of one answer, as the log has them. */
const LISTED_NOTES_MAX = 10_000;

type Note = NotedProducerGroup.$Properties;

export class ProducerNotes {
  readonly sessions: ProducerSessions;
  readonly #group: BrokerGroup;
  readonly #onDefect: (error: unknown) => void;
  readonly #fresh = new Set<ProducerSession>();
  #look: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;
  #isUnderWay = false;
  #isClosed = false;

  constructor(group: BrokerGroup, onDefect: (error: unknown) => void) {
    this.#group = group;
    this.#onDefect = onDefect;
    this.sessions = new ProducerSessions((session) => {
      this.#fresh.add(session);
      this.#schedule();
      this.#look ??= setInterval(() => {
        for (const each of this.sessions.sessions) this.#fresh.add(each);
        this.#schedule();
      }, LOOK_MS);
    });
  }

  handler(): Handlers<Pick<typeof BROKER_SERVICE, "listProducers">>["listProducers"] {
    return {
      unary: async (request, { signal }) => {
        this.#group.demandLeader();
        await this.#group.readBarrier(signal);
        return this.#list(request);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#look);
    clearTimeout(this.#tick);
  }

  #schedule(): void {
    if (this.#isClosed || this.#isUnderWay || this.#fresh.size === 0) return;
    this.#tick ??= setTimeout(() => {
      this.#tick = undefined;
      this.#isUnderWay = true;
      this.#note(this.#take())
        .catch((error: unknown) => {
          // Nobody leads, or the log takes nothing now: it is looked at again.
          if (!(error instanceof OperationError)) this.#onDefect(error);
        })
        .finally(() => {
          this.#isUnderWay = false;
          this.#schedule();
        });
    }, TICK_MS);
  }

  /** @returns what the log does not know yet of those that have begun, or that were looked for. */
  #take(): Note[] {
    const { machine, replica, hasBegun } = this.#group;
    const sessions = [...this.#fresh];
    this.#fresh.clear();
    if (!hasBegun) return [];
    // The log's, or what it will be: it stands still while nothing is written to it.
    const now = Math.max(Date.now(), replica.status().time);
    const notes = new Map<string, Note>();
    for (const { group: producerGroup, topicIds } of sessions)
      for (const topicId of topicIds)
        if (
          machine.hasQueuesOf(topicId) &&
          machine.producerGroups.isDue(producerGroup, topicId, now)
        )
          notes.set(`${producerGroup}/${topicId}`, { producerGroup, topicId });
    return [...notes.values()];
  }

  async #note(notes: readonly Note[]): Promise<void> {
    for (let i = 0; i < notes.length; i += NOTES_PER_COMMAND_MAX) {
      const some = notes.slice(i, i + NOTES_PER_COMMAND_MAX);
      const answer = await this.#group.execute({ noteProducers: { notes: some } });
      // There is no room: whoever lists producers sees those that are there.
      if (answer.error) return;
    }
  }

  #list({ producerGroup: group, topicId }: ListProducersRequest): ListProducersReply.$Properties {
    const { machine } = this.#group;
    const isAsked = (of: { readonly group: string }): boolean => group === "" || of.group === group;
    const isOn = (id: number): boolean => topicId === 0 || id === topicId;
    const topics = [...machine.producerGroups.entries()]
      .filter((each) => isAsked(each) && isOn(each.topicId))
      .map((each) => ({
        producerGroup: each.group,
        topicId: each.topicId,
        sinceMs: each.since,
        seenMs: each.seen,
      }));
    const producers: LiveProducer.$Properties[] = [];
    const now = performance.now();
    let left = LISTED_TOPICS_MAX;
    for (const session of this.sessions.sessions) {
      if (left <= 0) break;
      const topicIds = [...session.topicIds].filter((id) => machine.hasQueuesOf(id));
      if (!isAsked(session) || !topicIds.some(isOn)) continue;
      left -= topicIds.length;
      producers.push({
        producerGroup: session.group,
        clientId: session.clientId,
        address: session.address,
        topicIds,
        connectedMs: Math.round(now - session.since),
        silentMs: Math.round(now - session.lastAt),
      });
    }
    const isTruncated = left <= 0 || topics.length > LISTED_NOTES_MAX || this.sessions.isTruncated;
    return { topics: topics.slice(0, LISTED_NOTES_MAX), producers, isTruncated };
  }
}
