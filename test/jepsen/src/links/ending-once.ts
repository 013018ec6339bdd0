/** A disturbance whose end is made once, whoever asks for it, and whatever comes in between. */

import type { Disturbance } from "./links.ts";
import type { Seen } from "./seen.ts";

export class EndingOnce implements Disturbance {
  readonly #look: () => Promise<Seen>;
  readonly #finish: () => Promise<Seen>;
  #last: Promise<Seen> | undefined;

  /** @param finish - Ends it, and tells what was seen until then. */
  constructor(look: () => Promise<Seen>, finish: () => Promise<Seen>) {
    this.#look = look;
    this.#finish = finish;
  }

  seen(): Promise<Seen> {
    return this.#last ?? this.#look();
  }

  end(): Promise<Seen> {
    this.#last ??= this.#finish();
    return this.#last;
  }
}
