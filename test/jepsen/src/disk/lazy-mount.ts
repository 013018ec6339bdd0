/**
 * A folder on LazyFS (github.com/dsrhaslab/lazyfs), a file system in user space that keeps what is
 * not synced in its own memory, and forgets it when it is told to.
 *
 *     FOLDER           where it is mounted
 *     FOLDER.beneath   what is on the disk
 *     FOLDER.lazyfs    its settings, its log, and two pipes: for commands, and for answers
 *
 * A process that is killed loses nothing there, as on any machine: what it wrote is with LazyFS.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { Socket } from "node:net";
import { ownChild, PatienceError, sleep, until } from "@quorumlog/integration/testing";
import { runCommand } from "../links/command.ts";
import { isMounted, mountName } from "./mount-table.ts";
import { countUnsynced } from "./unsynced-compare.ts";

const MOUNT_MS_MAX = 10_000;
const CLEAR_MS_MAX = 10_000;
const END_MS_MAX = 2_000;
const LOOK_MS = 5;
/** Of one mount. What does not fit is on the disk at once, and cannot be lost. */
const CACHE_MIB = 64;
const COMMAND = "lazyfs::clear-cache\n";
const ANSWER = "finished::clear-cache\n";
const WORDS_LENGTH_MAX = 1_000;

export class LazyMount {
  readonly path: string;
  readonly #program: string;
  #child: ChildProcess | undefined;
  #answers: Socket | undefined;
  #answered = "";
  #words = "";

  private constructor(program: string, path: string) {
    this.#program = program;
    this.path = path;
  }

  /**
   * @param program - LazyFS.
   * @param path - It is made; whatever is in it would be hidden.
   * @throws Error with what LazyFS says if it is not mounted in time
   */
  static async open(program: string, path: string): Promise<LazyMount> {
    const mount = new LazyMount(program, path);
    try {
      await mount.#open();
      return mount;
    } catch (error) {
      await mount.close();
      throw error;
    }
  }

  /** What the next loss of power takes away. Of a node that writes, it is a guess. */
  unsyncedBytes(): number {
    return countUnsynced(this.path, this.#beneath);
  }

  /**
   * What is not synced is gone. Nobody may write meanwhile.
   *
   * @returns how many bytes it took away. @throws Error if LazyFS does not say that it has, or has
   *   kept something
   */
  async losePower(): Promise<number> {
    // By the file system itself, so that what the dead had under way has come to its end.
    const lost = this.unsyncedBytes();
    this.#answered = "";
    await this.#command();
    await this.#until("LazyFS has cleared its cache", CLEAR_MS_MAX, () =>
      this.#answered.includes(ANSWER),
    );
    const kept = this.unsyncedBytes();
    if (kept > 0) throw new Error(`${this.path}: LazyFS has kept ${kept} bytes of ${lost}`);
    return lost;
  }

  /** Unmounts it: the folder is what is on the disk from then on. Idempotent. */
  async close(): Promise<void> {
    this.#answers?.destroy();
    this.#answers = undefined;
    if (isMounted(this.path)) await runCommand(["fusermount3", "-u", "-z", this.path]);
    mounted.delete(this.path);
    await this.#end();
    if (!existsSync(this.#beneath)) return;
    rmdirSync(this.path);
    renameSync(this.#beneath, this.path);
    rmSync(this.#control, { recursive: true, force: true });
  }

  get #beneath(): string {
    return `${this.path}.beneath`;
  }

  get #control(): string {
    return `${this.path}.lazyfs`;
  }

  get #commands(): string {
    return `${this.#control}/commands`;
  }

  async #open(): Promise<void> {
    for (const folder of [this.path, this.#beneath, this.#control])
      mkdirSync(folder, { recursive: true });
    const answers = `${this.#control}/answers`;
    const config = `${this.#control}/config.toml`;
    await runCommand(["mkfifo", this.#commands, answers]);
    writeFileSync(config, configOf(this.#commands, answers, `${this.#control}/log`));
    // LazyFS waits for whoever reads them. Open for both, a pipe has no end.
    const fd = openSync(answers, constants.O_RDWR | constants.O_NONBLOCK);
    this.#answers = new Socket({ fd, readable: true, writable: false });
    this.#answers.on("data", (chunk: Buffer) => (this.#answered += chunk.toString()));
    watch();
    mounted.add(this.path);
    this.#spawn(config);
    await this.#until("LazyFS is mounted", MOUNT_MS_MAX, () => isMounted(this.path));
  }

  #spawn(config: string): void {
    const options = ["modules=subdir", `subdir=${this.#beneath}`, `fsname=${mountName()}`];
    // One operation after the other (-s): none passes another on its way to the disk.
    const args = [this.path, "--config-path", config, "-f", "-s", "-o", options.join(",")];
    const child = spawn(this.#program, args, { stdio: ["ignore", "pipe", "pipe"] });
    ownChild(child);
    this.#child = child;
    const hear = (chunk: Buffer): void => {
      this.#words = (this.#words + chunk.toString()).slice(-WORDS_LENGTH_MAX);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", (error) => {
      this.#words += error.message;
      this.#child = undefined;
    });
    child.once("exit", () => (this.#child = undefined));
  }

  /** It listens a moment after it is mounted. */
  async #command(): Promise<void> {
    await this.#until("LazyFS listens", CLEAR_MS_MAX, () => {
      const fd = openedForWriting(this.#commands);
      if (fd === undefined) return false;
      writeSync(fd, COMMAND);
      closeSync(fd);
      return true;
    });
  }

  async #until(what: string, timeoutMs: number, look: () => boolean): Promise<void> {
    try {
      await until(what, timeoutMs, () => {
        if (this.#child === undefined) throw new Error(`LazyFS has ended: ${this.#said()}`);
        return look() || undefined;
      });
    } catch (error) {
      if (!(error instanceof PatienceError)) throw error;
      throw new Error(`${error.message}: ${this.#said()}`, { cause: error });
    }
  }

  #said(): string {
    const log = `${this.#control}/log`;
    const words = existsSync(log) ? readFileSync(log, "utf8") : "";
    return `${this.#words}${words}`.trim().slice(-WORDS_LENGTH_MAX) || "it says nothing";
  }

  /** It ends as it is unmounted; one that does not is killed. */
  async #end(): Promise<void> {
    const endMs = performance.now() + END_MS_MAX;
    while (this.#child !== undefined && performance.now() < endMs) await sleep(LOOK_MS);
    this.#child?.kill("SIGKILL");
  }
}

const mounted = new Set<string>();
let isWatching = false;

/** A process that ends in a hurry leaves no mount behind. */
function watch(): void {
  if (isWatching) return;
  isWatching = true;
  process.prependListener("exit", () => {
    for (const path of mounted) spawnSync("fusermount3", ["-u", "-z", path], { stdio: "ignore" });
  });
}

function configOf(commands: string, answers: string, log: string): string {
  const text = JSON.stringify;
  return [
    "[faults]",
    `fifo_path=${text(commands)}`,
    `fifo_path_completed=${text(answers)}`,
    "[cache]",
    // Else what is evicted would be on the disk.
    "apply_eviction=false",
    "[cache.simple]",
    `custom_size="${CACHE_MIB}mb"`,
    "blocks_per_page=1",
    "[filesystem]",
    "log_all_operations=false",
    `logfile=${text(log)}`,
    "",
  ].join("\n");
}

/** @returns `undefined` if nobody reads there yet. */
function openedForWriting(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENXIO") return undefined;
    throw error;
  }
}
