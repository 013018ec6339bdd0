// Goal: how storage is driven decides when things happen, never what is committed.
// Method: the same random run of a group twice, once with writes finished in each Ready and once
// with append and apply work that lags behind; compared after both have come to rest.
// Thesis §10.2.1; ready.ts (the contract of the two modes).

import { expect, test } from "vitest";
import type { AppendWork, ApplyWork, Message } from "../src/index.ts";
import { commands, positions } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import { TestNode } from "./kit/node.ts";
import { fc } from "./kit/properties.ts";

type Mode = "sync" | "async";

type Step =
  | { readonly step: "propose"; readonly text: string }
  | { readonly step: "deliver" | "work"; readonly node: number; readonly count: number }
  | { readonly step: "lose"; readonly node: number }
  | { readonly step: "campaign"; readonly node: number };

const node = fc.integer({ min: 1, max: 3 });
const count = fc.integer({ min: 1, max: 5 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ step: fc.constant("propose" as const), text: fc.string() }),
    },
    { weight: 6, arbitrary: fc.record({ step: fc.constantFrom("deliver", "work"), node, count }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("lose" as const), node }) },
    { weight: 1, arbitrary: fc.record({ step: fc.constant("campaign" as const), node }) },
  ),
  { maxLength: 60 },
);

/** A group of three whose messages and work wait until a step does them. */
class Group {
  readonly nodes: readonly TestNode[];
  readonly #inbox = new Map<number, Message[]>();
  readonly #appends = new Map<number, AppendWork[]>();
  readonly #applies = new Map<number, ApplyWork[]>();
  readonly mode: Mode;

  constructor(mode: Mode) {
    this.mode = mode;
    const configuration = configurationOf({ voters: [1, 2, 3] });
    const options = { storageWrites: mode, preVote: true, checkQuorum: false } as const;
    this.nodes = [1, 2, 3].map((id) => new TestNode({ id, configuration, options, seed: id }));
    for (const { id } of this.nodes) {
      this.#inbox.set(id, []);
      this.#appends.set(id, []);
      this.#applies.set(id, []);
    }
  }

  take(step: Step): void {
    if (step.step === "propose") {
      const leader = this.nodes.find(({ role }) => role === "leader");
      leader?.propose(`${step.text}.`);
      return;
    }
    const target = this.#node(step.node);
    if (step.step === "campaign") target.core.campaign();
    else if (step.step === "lose") this.#inbox.set(step.node, []);
    else if (step.step === "deliver")
      for (const message of this.#inbox.get(step.node)?.splice(0, step.count) ?? [])
        target.core.step(message);
    else this.#work(target, step.count);
  }

  /** No more faults: everything is delivered and done, and one node leads. */
  rest(): void {
    for (let round = 0; round < 12; round++) {
      this.#settle();
      if (this.nodes.some(({ role }) => role === "leader")) {
        for (const each of this.nodes) if (each.role === "leader") each.core.tick();
      } else this.#node(1 + (round % 3)).core.campaign();
    }
    this.nodes.find(({ role }) => role === "leader")?.propose("last");
    for (let round = 0; round < 4; round++) {
      this.#settle();
      for (const each of this.nodes) if (each.role === "leader") each.core.tick();
    }
    this.#settle();
  }

  #settle(): void {
    for (let round = 0; round < 40; round++)
      for (const each of this.nodes) {
        this.#work(each, 100);
        for (const message of this.#inbox.get(each.id)?.splice(0) ?? []) each.core.step(message);
      }
  }

  #work(target: TestNode, times: number): void {
    const appends = this.#appends.get(target.id) ?? [];
    const applies = this.#applies.get(target.id) ?? [];
    for (let i = 0; i < times; i++) {
      const ready = target.take();
      if (ready === undefined && appends.length + applies.length === 0) break;
      if (ready !== undefined && this.mode === "sync") target.finish(ready);
      else {
        if (ready?.append !== undefined) appends.push(ready.append);
        if (ready?.apply !== undefined) applies.push(ready.apply);
        // Two Readys are taken for one write, and applying lags behind that.
        const append = i % 2 === 1 || ready === undefined ? appends.shift() : undefined;
        if (append !== undefined) target.write(append);
        const apply = ready === undefined ? applies.shift() : undefined;
        if (apply !== undefined) target.apply(apply);
      }
      this.#send(target.takeOutbox());
    }
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) this.#inbox.get(message.to)?.push(message);
  }

  #node(id: number): TestNode {
    const found = this.nodes[id - 1];
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  }
}

function run(mode: Mode, list: readonly Step[]): Group {
  const group = new Group(mode);
  group.take({ step: "campaign", node: 1 });
  for (const step of list) group.take(step);
  group.rest();
  return group;
}

test("in either mode a run ends with equal logs, all of it committed and applied", () => {
  fc.assert(
    fc.property(steps, fc.constantFrom<Mode>("sync", "async"), (list, mode) => {
      const { nodes } = run(mode, list);
      const [first] = nodes;
      if (first === undefined) throw new Error("no nodes");
      for (const each of nodes) {
        expect(positions(each.applied)).toEqual(positions(first.applied));
        expect(commands(each.applied)).toEqual(commands(first.applied));
        expect(each.commitIndex).toBe(each.lastIndex);
      }
      expect(commands(first.applied).at(-1)).toBe("last");
    }),
    { numRuns: 120 },
  );
});

test("without faults both modes commit the same commands, in the same order", () => {
  const calm = steps.map((list) =>
    list.filter(({ step }) => step === "propose" || step === "work"),
  );
  fc.assert(
    fc.property(calm, (list) => {
      const settled: readonly Step[] = [
        { step: "work", node: 1, count: 9 },
        { step: "deliver", node: 2, count: 9 },
        { step: "work", node: 2, count: 9 },
        { step: "deliver", node: 1, count: 9 },
        { step: "work", node: 1, count: 9 },
        { step: "deliver", node: 2, count: 9 },
        { step: "work", node: 2, count: 9 },
        { step: "deliver", node: 1, count: 9 },
      ];
      const results = (["sync", "async"] as const).map((mode) => run(mode, [...settled, ...list]));
      const texts = results.map(({ nodes }) => nodes.map(({ applied }) => commands(applied)));
      expect(texts[0]).toEqual(texts[1]);
      const proposed = list.flatMap((step) => (step.step === "propose" ? [`${step.text}.`] : []));
      expect(texts[0]?.[0]).toEqual([...proposed, "last"]);
    }),
    { numRuns: 120 },
  );
});
