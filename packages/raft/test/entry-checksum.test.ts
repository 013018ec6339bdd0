// Goal: a checksum that comes with a command stays with its entry, wherever that goes.
// Method: propose with checksums, and look at storage, at messages, and at followers' storage. The
// values are no real sums: the core never looks.

import { describe, expect, test } from "vitest";
import type { Entry } from "../src/index.ts";
import { Cluster } from "./kit/cluster.ts";
import { bytes, entry } from "./kit/entries.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { follower, leader } from "./kit/roles.ts";

const COMMANDS = [bytes("x"), bytes("y")];

function checksums(entries: readonly Entry[]): (number | undefined)[] {
  return entries.map(({ checksum }) => checksum);
}

describe("on a leader", () => {
  test("each entry gets the checksum of its command", () => {
    const node = leader();

    node.core.propose(COMMANDS, [7, 8]);

    const sent = build.ofType(node.settle(), "AppendEntries");
    expect(checksums(sent[0]?.entries ?? [])).toEqual([7, 8]);
    expect(checksums(node.entries())).toEqual([undefined, 7, 8]);
  });

  test("an entry without one has no such field", () => {
    const node = leader();

    node.core.propose(COMMANDS);
    node.settle();

    expect(node.entries().some((each) => "checksum" in each)).toBe(false);
  });

  test("those of commands that were parked during a transfer are kept", () => {
    const node = leader({ configuration: configurationOf({ voters: [1, 2, 3] }) });
    node.core.transferLeadership(2);
    expect(node.core.propose(COMMANDS, [7, 8]).status).toBe("parked");
    expect(node.core.propose([bytes("z")]).status).toBe("parked");

    node.tick(10);

    expect(checksums(node.entries())).toEqual([undefined, 7, 8, undefined]);
  });

  test.each([[[]], [[7]], [[7, 8, 9]]])("%j for two commands is an error", (list) => {
    const node = leader();

    expect(() => node.core.propose(COMMANDS, list)).toThrow(RangeError);

    expect(node.lastIndex).toBe(1);
  });
});

describe("on a follower", () => {
  test("entries are stored with the checksums they came with", () => {
    const node = follower();
    const entries = [{ ...entry(1, 1, "x"), checksum: 7 }, entry(1, 2, "y")];

    node.receive(build.appendEntries({ entries }));

    expect(node.entries()).toEqual(entries);
  });

  test("they arrive from the leader's storage as well as from its memory", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.isolate(3);
    cluster.node(1).core.propose(COMMANDS, [7, 8]);
    cluster.deliver();
    cluster.heal();
    cluster.tick(1, 3);

    const logs = cluster.nodes.map((node) => checksums(node.entries()));

    expect(logs).toEqual(Array.from({ length: 3 }, () => [undefined, 7, 8]));
  });
});
