/** A process in a place of links, with sockets that are told what to do. */

import { type ChildProcess, spawn } from "node:child_process";
import { until } from "@quorumlog/integration/testing";
import { onTestFinished } from "vitest";
import type { Links } from "../../src/links/links.ts";
import type { Place } from "../../src/links/way.ts";

/** What a socket has seen. */
export interface SeenBySocket {
  readonly isConnected: boolean;
  readonly text: string;
  /** `FIN`, or the code of an error. */
  readonly end: string;
}

/** By number: those that were dialed first, as they were; `server-1` and so on: those that came. */
type Sockets = Readonly<Record<string, SeenBySocket>>;

const PATIENCE_MS = 20_000;
const NOTHING: SeenBySocket = { isConnected: false, text: "", end: "" };

/** Echoes what comes to its port; it is built of nothing, as no other file may be needed. */
const PROGRAM = `
import { connect, createServer } from "node:net";
const sockets = {}, seen = {};
const tell = () => process.send({ seen });
const watch = (name, socket) => {
  sockets[name] = socket;
  seen[name] = { isConnected: false, text: "", end: "" };
  socket.on("connect", () => { seen[name].isConnected = true; tell(); });
  socket.on("data", (chunk) => { seen[name].text += chunk; tell(); });
  socket.on("end", () => { seen[name].end ||= "FIN"; tell(); });
  socket.on("error", ({ code }) => { seen[name].end ||= code; tell(); });
};
let count = 0;
process.on("message", ({ verb, name, host, port, text }) => {
  if (verb === "dial") watch(name, connect({ host, port, allowHalfOpen: true, noDelay: true }));
  if (verb === "write") sockets[name].write(text);
  if (verb === "end") sockets[name].end();
  if (verb === "reset") sockets[name].resetAndDestroy();
});
process.on("disconnect", () => process.exit());
const [host, port] = process.argv.slice(1);
createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  count += 1;
  watch("server-" + count, socket);
  socket.on("data", (chunk) => socket.write(chunk));
}).listen({ host, port: Number(port) }, tell);
`;

export class PlaceProcess {
  readonly #links: Links;
  readonly #place: Place;
  readonly #child: ChildProcess;
  #seen: Sockets | undefined;

  private constructor(links: Links, place: Place, child: ChildProcess) {
    this.#links = links;
    this.#place = place;
    this.#child = child;
    child.on("message", (message) => {
      this.#seen = (message as { readonly seen: Sockets }).seen;
    });
  }

  /** Listens on that port there. Ends with the test. */
  static async start(links: Links, place: Place, port: number): Promise<PlaceProcess> {
    const code = ["--input-type=module", "--eval", PROGRAM, links.hostOf(place), String(port)];
    const [command = "", ...args] = [...links.commandAt(place), process.execPath, ...code];
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const started = new PlaceProcess(links, place, child);
    await until("it listens", PATIENCE_MS, () => (started.#seen === undefined ? undefined : true));
    return started;
  }

  dial(name: string, to: Place): void {
    const [host, port] = this.#links.address(this.#place, to).split(":");
    this.#child.send({ verb: "dial", name, host, port: Number(port) });
  }

  tell(verb: "end" | "reset", name: string): void {
    this.#child.send({ verb, name });
  }

  write(name: string, text: string): void {
    this.#child.send({ verb: "write", name, text });
  }

  seen(name: string): SeenBySocket {
    return this.#seen?.[name] ?? NOTHING;
  }

  /** @returns once a socket has seen so. */
  async until(name: string, expected: Partial<SeenBySocket>): Promise<void> {
    const what = `${name} of ${this.#place} sees ${JSON.stringify(expected).slice(0, 100)}`;
    const isSo = (): true | undefined => {
      const seen = this.seen(name);
      const fields = Object.keys(expected) as (keyof SeenBySocket)[];
      return fields.every((field) => seen[field] === expected[field]) || undefined;
    };
    await until(what, PATIENCE_MS, isSo);
  }
}
