/** A directive's arguments, read by position or by name, with errors that say what was wrong. */

import type { Argument } from "./script.ts";

/** The directive asks for what cannot be done; the text is part of the output. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

export class Arguments {
  readonly #positional: readonly string[];
  readonly #named: ReadonlyMap<string, readonly string[]>;

  /**
   * @param names - The named arguments that the command knows.
   * @throws {@link CommandError} for any other name: a misspelt option must not be ignored.
   */
  constructor(args: readonly Argument[], names: readonly string[] = []) {
    this.#positional = args.filter(({ values }) => values.length === 0).map(({ key }) => key);
    const named = new Map<string, readonly string[]>();
    for (const { key, values } of args) {
      if (values.length === 0) continue;
      if (!names.includes(key)) throw new CommandError(`unknown argument ${key}`);
      named.set(key, [...(named.get(key) ?? []), ...values]);
    }
    this.#named = named;
  }

  /** How many positional arguments there are. */
  get count(): number {
    return this.#positional.length;
  }

  /** The positional argument at `position`, counted from 0. */
  text(position: number): string {
    const text = this.#positional[position];
    if (text === undefined) throw new CommandError(`argument ${position + 1} is missing`);
    return text;
  }

  integer(position: number): number {
    return asInteger(this.text(position));
  }

  /** All positional arguments, as ids. */
  ids(): number[] {
    return this.#positional.map((text) => asInteger(text));
  }

  has(name: string): boolean {
    return this.#named.has(name);
  }

  /** The values of `name=(a, b)`; none if it was not given. */
  list(name: string): readonly string[] {
    return this.#named.get(name) ?? [];
  }

  integers(name: string): number[] {
    return this.list(name).map((text) => asInteger(text));
  }

  namedText(name: string): string | undefined {
    return this.#named.get(name)?.at(-1);
  }

  namedInteger(name: string): number | undefined {
    const text = this.namedText(name);
    return text === undefined ? undefined : asInteger(text);
  }

  /** @throws {@link CommandError} if it was not given. */
  requiredInteger(name: string): number {
    const value = this.namedInteger(name);
    if (value === undefined) throw new CommandError(`argument ${name}= is missing`);
    return value;
  }

  namedBoolean(name: string): boolean | undefined {
    const text = this.namedText(name);
    return text === undefined ? undefined : asBoolean(text);
  }
}

function asInteger(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new CommandError(`${text} is not a count`);
  return value;
}

function asBoolean(text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new CommandError(`${text} is neither true nor false`);
}
