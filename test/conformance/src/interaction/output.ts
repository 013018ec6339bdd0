/**
 * Where a directive's output goes: what commands print, and the log lines of the cores in between.
 *
 * The level filters log lines. At the highest level, `NONE`, nothing at all is kept, whatever the
 * commands print; only an error is still told, by the interpreter.
 */

const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"] as const;

export type LogLevel = (typeof LEVELS)[number];

export class Output {
  level: LogLevel = "DEBUG";
  #text = "";

  get isQuiet(): boolean {
    return this.level === "NONE";
  }

  write(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  log(level: LogLevel, text: string): void {
    if (LEVELS.indexOf(this.level) <= LEVELS.indexOf(level)) this.write(`${level} ${text}\n`);
  }

  /** What `run` writes is indented by two spaces, and ends in a newline. */
  indented(run: () => void): void {
    const outer = this.#text;
    this.#text = "";
    try {
      run();
    } finally {
      const lines = this.#text.replace(/\n$/, "").split("\n");
      const inner = this.#text === "" ? "" : lines.map((line) => `  ${line}\n`).join("");
      this.#text = outer + inner;
    }
  }

  /** What was written since this was last called. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

/** `undefined` if there is no such level; case does not matter. */
export function parseLogLevel(text: string): LogLevel | undefined {
  return LEVELS.find((level) => level === text.toUpperCase());
}

export function logLevelNames(): string {
  return LEVELS.join(" ");
}
