/** What a stored message is called: its address, as text. */

export interface MessageAddress {
  readonly topicId: number;
  readonly queue: number;
  readonly offset: number;
}

const MESSAGE_ID = /^(\d{1,10})-(\d{1,5})-(\d{1,16})$/u;

export function messageId({ topicId, queue, offset }: MessageAddress): string {
  return `${topicId}-${queue}-${offset}`;
}

/** @returns `undefined` for text that is no message's id. */
export function parseMessageId(id: string): MessageAddress | undefined {
  const match = MESSAGE_ID.exec(id);
  if (match === null) return undefined;
  const [topicId, queue, offset] = match.slice(1).map(Number) as [number, number, number];
  if (topicId >= 2 ** 32 || queue >= 2 ** 16 || !Number.isSafeInteger(offset)) return undefined;
  return { topicId, queue, offset };
}
