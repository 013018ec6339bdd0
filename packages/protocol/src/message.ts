/** A message, as a producer gives it and a consumer gets it. */

/** Of one message beside its body. */
export interface MessageFields {
  /** Chosen by consumers at the broker; at most one. 1 to 127 bytes. */
  readonly tag?: string;
  /** What the message can be found by; at most 16 of 1 to 255 bytes each. */
  readonly keys?: readonly string[];
  /** Messages of one group stay in order; 1 to 255 bytes. */
  readonly messageGroup?: string;
  /** The application's own: at most 128, names of 1 to 255 bytes, values of up to 65535. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** As it lies in a batch. */
export interface EncodedMessage extends MessageFields {
  readonly body: Uint8Array;
  /** When its producer made it, milliseconds since 1970. */
  readonly bornTimestamp: number;
}

export const MESSAGE_LIMITS = {
  tagBytesMax: 127,
  keyCountMax: 16,
  keyBytesMax: 255,
  groupBytesMax: 255,
  propertyCountMax: 128,
  propertyNameBytesMax: 255,
  propertyValueBytesMax: 65_535,
} as const;

/** @returns what does not fit, naming the field and the bound. */
export function messageProblem(message: MessageFields): string | undefined {
  const { tag, keys = [], messageGroup, properties = {} } = message;
  const limits = MESSAGE_LIMITS;
  if (keys.length > limits.keyCountMax)
    return `keys: ${keys.length} are more than ${limits.keyCountMax}`;
  const names = Object.keys(properties);
  if (names.length > limits.propertyCountMax)
    return `properties: ${names.length} are more than ${limits.propertyCountMax}`;
  const texts: readonly (readonly [string, string | undefined, number])[] = [
    ["tag", tag, limits.tagBytesMax],
    ["messageGroup", messageGroup, limits.groupBytesMax],
    ...keys.map((key) => ["keys", key, limits.keyBytesMax] as const),
    ...names.map((name) => ["properties", name, limits.propertyNameBytesMax] as const),
  ];
  for (const [field, text, bytesMax] of texts) {
    if (text === undefined) continue;
    const bytes = Buffer.byteLength(text);
    if (bytes < 1 || bytes > bytesMax)
      return `${field}: "${text.slice(0, 40)}" has ${bytes} bytes, not [1, ${bytesMax}]`;
  }
  if (tag !== undefined && (tag.includes("|") || tag === "*" || tag.trim() !== tag))
    return `tag: ${JSON.stringify(tag)} has a "|", is "*", or begins or ends with a space`;
  for (const name of names) {
    const bytes = Buffer.byteLength(properties[name] ?? "");
    if (bytes > limits.propertyValueBytesMax)
      return `properties: ${name} has ${bytes} bytes, more than ${limits.propertyValueBytesMax}`;
  }
  return undefined;
}
