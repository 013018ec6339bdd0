/** Whether a consumer group has finished everything that is stored; asked now and then. */

import { Admin, OperationError } from "@quorumlog/client";

const ASK_EVERY_MS = 250;

export class GroupLag {
  readonly #admin: Admin;
  readonly #group: string;
  #askedAt = -Infinity;
  #asking: Promise<boolean> = Promise.resolve(false);

  private constructor(admin: Admin, group: string) {
    this.#admin = admin;
    this.#group = group;
  }

  /** @throws OperationError */
  static async open(nameServers: readonly string[], group: string): Promise<GroupLag> {
    return new GroupLag(await Admin.open({ nameServers }), group);
  }

  /** @returns false also if nobody answers. */
  isZero(): Promise<boolean> {
    if (performance.now() - this.#askedAt < ASK_EVERY_MS) return this.#asking;
    this.#askedAt = performance.now();
    this.#asking = this.#ask();
    return this.#asking;
  }

  async #ask(): Promise<boolean> {
    try {
      return (await this.#admin.describeConsumerGroup(this.#group)).lag === 0;
    } catch (error) {
      if (error instanceof OperationError) return false;
      throw error;
    }
  }
}
