/** Single operations, to see whether a group in calm weather still serves. */

import type { LogIndex } from "@quorumlog/raft";
import type { Oracle } from "../check/oracle.ts";
import { encodeCommand } from "../node/command.ts";
import type { ReadAnswer, WriteAnswer } from "../node/request-desk.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { Cluster } from "./cluster.ts";
import type { Convergence } from "./convergence.ts";
import type { Host } from "./host.ts";

/** No client of the load has this id. */
const PROBE_CLIENT = 1_000_000;

export class Probe {
  readonly #cluster: Cluster;
  readonly #oracle: Oracle;
  readonly #convergence: Convergence;
  #serial = 0;

  constructor(cluster: Cluster, oracle: Oracle, convergence: Convergence) {
    this.#cluster = cluster;
    this.#oracle = oracle;
    this.#convergence = convergence;
  }

  /** A write goes to the leader until it is acknowledged. */
  write(): void {
    this.#serial += 1;
    const client = PROBE_CLIENT;
    const operation = this.#oracle.invokeWrite({ client, serial: this.#serial, key: 0 });
    let isDone = false;
    /** Who has not answered yet; one that was stopped never will. */
    let asked: SimNode | undefined;
    const answer = (result: WriteAnswer): void => {
      asked = undefined;
      if (result.kind !== "applied") return;
      isDone = true;
      this.#oracle.onWriteAcknowledged(operation, result.result);
    };
    this.#convergence.await("a write commits in calm weather", () => {
      const leader = this.#cluster.leader();
      if (isDone || leader === undefined || asked === leader) return isDone;
      asked = leader;
      const attempt = this.#oracle.startAttempt(operation);
      const { serial, key, value } = operation;
      const bytes = encodeCommand({ client, serial, key, value, attempt }, 0);
      leader.receive({ kind: "write", request: { attempt, bytes, answer } });
      return false;
    });
  }

  /** A linearizable read on this very host, until it is served. */
  read(host: Host): void {
    const floor: LogIndex = this.#oracle.floor;
    let isDone = false;
    let isUnderWay = false;
    const answer = (result: ReadAnswer): void => {
      isUnderWay = false;
      if (result.kind !== "value") return;
      isDone = true;
      const { value, index } = result;
      this.#oracle.onReadAcknowledged({ key: 0, floor, value, index });
    };
    this.#convergence.await(`a read is served on ${host.id}`, () => {
      if (isDone || isUnderWay || host.node === undefined) return isDone;
      isUnderWay = true;
      host.node.receive({ kind: "read", request: { key: 0, answer } });
      return false;
    });
  }
}
