/** What fields of a line of JSON say of its message, and how many lines have not said it. */

import type { OutgoingMessage } from "@quorumlog/client";
import { InputError } from "./input-lines.ts";

/** Of a line that is shown. */
const EXCERPT = 40;

export interface FieldNames {
  readonly keyField: string | undefined;
  readonly groupField: string | undefined;
}

type LineFields = Pick<OutgoingMessage, "keys" | "messageGroup">;

export class LineFieldReader {
  readonly #names: FieldNames;
  #withoutKey = 0;
  #withoutGroup = 0;

  constructor({ keyField, groupField }: FieldNames) {
    this.#names = { keyField, groupField };
  }

  /** @throws InputError if it is no JSON, and fields of it are wanted */
  read(line: Buffer, lineNumber: number): LineFields {
    const { keyField, groupField } = this.#names;
    if (keyField === undefined && groupField === undefined) return {};
    const value = parse(line, lineNumber);
    const key = textAt(value, keyField);
    const messageGroup = textAt(value, groupField);
    if (key === undefined) this.#withoutKey += 1;
    if (messageGroup === undefined) this.#withoutGroup += 1;
    return {
      ...(key === undefined ? {} : { keys: [key] }),
      ...(messageGroup === undefined ? {} : { messageGroup }),
    };
  }

  /** How many lines had no such field, of those that were asked for. */
  get missing(): { readonly withoutKey?: number; readonly withoutGroup?: number } {
    const { keyField, groupField } = this.#names;
    return {
      ...(keyField === undefined ? {} : { withoutKey: this.#withoutKey }),
      ...(groupField === undefined ? {} : { withoutGroup: this.#withoutGroup }),
    };
  }

  /** The same for people, if there is anything to say: a typo in a name looks like that. */
  missingTexts(): string[] {
    const { withoutKey = 0, withoutGroup = 0 } = this.missing;
    const { keyField, groupField } = this.#names;
    const texts: string[] = [];
    if (withoutKey > 0)
      texts.push(`${withoutKey} of the lines have no field "${keyField}": no key`);
    if (withoutGroup > 0)
      texts.push(`${withoutGroup} of the lines have no field "${groupField}": no message group`);
    return texts;
  }
}

function parse(line: Buffer, lineNumber: number): unknown {
  const text = line.toString();
  try {
    return JSON.parse(text);
  } catch {
    const shown = text === "" ? "it is empty" : text.slice(0, EXCERPT);
    const wanted = "which --key-field and --group-field want";
    throw new InputError(`line ${lineNumber} is no JSON, ${wanted}: ${shown}`);
  }
}

function textAt(value: unknown, name: string | undefined): string | undefined {
  if (name === undefined || typeof value !== "object" || value === null) return undefined;
  const field = (value as Readonly<Record<string, unknown>>)[name];
  if (field === undefined || field === null) return undefined;
  return typeof field === "string" ? field : JSON.stringify(field);
}
