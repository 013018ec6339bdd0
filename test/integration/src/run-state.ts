/** What a run has done so far, in a file: a run that was cut goes on behind it. */

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Form, PartResult } from "./scenario.ts";

export interface PartReport extends PartResult {
  readonly scenario: string;
  readonly part: string;
  readonly seconds: number;
}

interface State {
  readonly form: Form;
  readonly seed: number;
  readonly reports: readonly PartReport[];
}

export class RunState {
  readonly #path: string;
  readonly #identity: { readonly form: Form; readonly seed: number };
  #reports: PartReport[] = [];

  constructor(directory: string, identity: { readonly form: Form; readonly seed: number }) {
    this.#path = join(directory, "state.json");
    this.#identity = identity;
  }

  get reports(): readonly PartReport[] {
    return this.#reports;
  }

  /** @throws Error if the file is of another run. */
  resume(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    const state = JSON.parse(text) as State;
    const { form, seed } = this.#identity;
    if (state.form !== form || state.seed !== seed)
      throw new Error(`${this.#path} is of a run of the ${state.form} form, seed ${state.seed}`);
    this.#reports = [...state.reports];
  }

  find(scenario: string, part: string): PartReport | undefined {
    return this.#reports.find((report) => report.scenario === scenario && report.part === part);
  }

  add(report: PartReport): void {
    this.#reports.push(report);
    const draft = `${this.#path}.new`;
    writeFileSync(draft, JSON.stringify({ ...this.#identity, reports: this.#reports }, null, 2));
    renameSync(draft, this.#path);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
