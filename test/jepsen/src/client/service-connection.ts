/**
 * One client's connection to the service of one node: a call at a time, each sent once.
 *
 * A connection that may be none is tried first by a call that asks for nothing: what is never sent
 * is known not to be done, so that a node that is away costs no unknown outcome each time.
 */

import { Agent, request as beginRequest } from "node:http";
import { CallError, type CallOutcome, type CallRefusal } from "../service/call-error.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** A node is told to give up before whoever asks does, and may say what became of it. */
const ANSWER_MS = 250;

export class ServiceConnection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #host: string;
  readonly #port: number;
  /** The last call was answered. */
  #isTried = false;

  /** @param address - As `host:port`. Nothing is connected yet. */
  constructor(address: string) {
    const { hostname, port } = new URL(`http://${address}`);
    this.#host = hostname;
    this.#port = Number(port);
  }

  /**
   * @returns what was answered.
   * @throws CallError of the service; or `NOT_REACHED`, not applied; `CONNECTION_LOST`,
   * `NO_ANSWER`:
   *   unknown
   */
  async call(name: string, fields: Fields, timeoutMs: number): Promise<Fields> {
    const deadline = performance.now() + timeoutMs;
    if (!this.#isTried) await this.#try(timeoutMs);
    const leftMs = Math.max(1, Math.floor(deadline - performance.now()));
    const answer = await this.#send(name, { ...fields, timeoutMs: leftMs }, leftMs + ANSWER_MS);
    if (answer.isOk) return answer.fields;
    throw new CallError(answer.fields as unknown as CallRefusal);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #try(timeoutMs: number): Promise<void> {
    try {
      await this.#send("status", {}, timeoutMs);
    } catch (cause) {
      throw callError("NOT_REACHED", "not-applied", "nothing was sent", cause);
    }
  }

  #send(
    name: string,
    fields: Fields,
    timeoutMs: number,
  ): Promise<{ readonly isOk: boolean; readonly fields: Fields }> {
    const body = JSON.stringify(fields);
    this.#isTried = false;
    return new Promise((resolve, reject) => {
      const fail = (cause: Error): void => {
        clearTimeout(timer);
        if (cause instanceof CallError) reject(cause);
        else reject(callError("CONNECTION_LOST", "unknown", cause.message, cause));
      };
      const request = beginRequest({
        agent: this.#agent,
        host: this.#host,
        port: this.#port,
        method: "POST",
        path: `/${name}`,
        headers: { "content-length": Buffer.byteLength(body) },
      });
      const timer = setTimeout(() => {
        request.destroy(callError("NO_ANSWER", "unknown", `not within ${timeoutMs} ms`));
      }, timeoutMs);
      request.once("error", fail);
      request.once("response", (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.once("error", fail);
        response.once("end", () => {
          clearTimeout(timer);
          this.#isTried = true;
          const answer = JSON.parse(Buffer.concat(pieces).toString()) as Fields;
          resolve({ isOk: response.statusCode === 200, fields: answer });
        });
      });
      request.end(body);
    });
  }
}

function callError(
  code: string,
  outcome: CallOutcome,
  message: string,
  cause?: unknown,
): CallError {
  return new CallError({ code, outcome, leaderId: null, message }, { cause });
}
