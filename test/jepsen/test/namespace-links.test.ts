// Goal: what the kernel is told to drop does not arrive, what it is not told to does, and the
// machine's own network is as it was.
// Method: processes in network namespaces with sockets of the kernel; what they see, and what the
// kernel has counted. Needs root; what is missing is printed.

import { execFileSync } from "node:child_process";
import { until } from "@quorumlog/integration/testing";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import type { Disturbance, LinkPlan, Links } from "../src/links/links.ts";
import { NamespaceLinks } from "../src/links/namespace-links.ts";
import { tryNamespaces } from "../src/links/namespace-trial.ts";
import { type Place, waysBetween, waysFrom } from "../src/links/way.ts";
import { findNamespaces } from "./kit/namespaces.ts";
import { PlaceProcess } from "./kit/place-process.ts";

const PATIENCE_MS = 20_000;
const PORT = 7_000;
const PLANS: readonly LinkPlan[] = [
  { from: 1, to: 2, port: PORT },
  { from: 2, to: 1, port: PORT },
  { from: "clients", to: 2, port: PORT },
];

const { isPossible, lacks } = await findNamespaces();

afterEach(() => {
  vi.unstubAllEnvs();
});

async function opened(): Promise<Links> {
  const links = await NamespaceLinks.open(PLANS, lacks);
  onTestFinished(() => links.close());
  return links;
}

async function twoNodes(): Promise<{
  readonly links: Links;
  readonly nodes: readonly [PlaceProcess, PlaceProcess];
}> {
  const links = await opened();
  const nodes = await Promise.all([
    PlaceProcess.start(links, 1, PORT),
    PlaceProcess.start(links, 2, PORT),
  ]);
  return { links, nodes };
}

function networkOfMachine(): string[] {
  return [["link"], ["addr"], ["route"], ["rule"]].map((words) =>
    // Without how long an address is valid for yet.
    execFileSync("ip", words, { encoding: "utf8" }).replaceAll(/\d+sec/gu, ""),
  );
}

/** Of TCP, whatever is in them. */
function segmentsReceivedAt(links: Links, place: Place): number {
  const [nsenter = "", ...enter] = links.commandAt(place);
  const words = [...enter, "cat", "/proc/net/snmp"];
  const [names = [], values = []] = execFileSync(nsenter, words, { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.startsWith("Tcp: "))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("InSegs")]);
}

async function dropped(disturbance: Disturbance, packets: number, ends = 0): Promise<void> {
  await until(`${packets} packets and ${ends} ends are dropped`, PATIENCE_MS, async () => {
    const { droppedPackets = 0, droppedEnds = 0 } = (await disturbance.seen()).counts;
    return (droppedPackets >= packets && droppedEnds >= ends) || undefined;
  });
}

test.skipIf(!isPossible)("no FIN and no RST crosses a silence; who dials waits", async () => {
  const { links, nodes } = await twoNodes();
  const [one, two] = nodes;
  const others = await PlaceProcess.start(links, "clients", PORT);
  for (const name of ["ending", "resetting"]) {
    one.dial(name, 2);
    one.write(name, "a");
    await one.until(name, { text: "a" });
  }

  const silence = await links.silence(waysBetween([1], [2]));
  one.write("ending", "b");
  one.tell("end", "ending");
  one.tell("reset", "resetting");
  one.dial("late", 2);
  one.write("late", "c");
  await dropped(silence, 4, 2);
  others.dial("beside", 2);
  others.write("beside", "d");
  await others.until("beside", { text: "d" });
  const during = ["server-1", "server-2"].map((name) => two.seen(name));
  const seen = await silence.end();
  await one.until("late", { isConnected: true, text: "c" });
  await one.until("ending", { text: "ab" });
  await two.until("server-1", { end: "FIN" });

  const untouched = { isConnected: false, text: "a", end: "" };
  expect(during).toEqual([untouched, untouched]);
  expect(seen).toMatchObject({ hasBitten: true, breach: "", counts: { crossedPackets: 0 } });
  expect(await silence.end()).toEqual(seen);
});

test.skipIf(!isPossible)("ends are counted by what they are: FIN and RST, not SYN", async () => {
  const { links, nodes } = await twoNodes();
  const [one] = nodes;
  for (const name of ["ending", "resetting"]) {
    one.dial(name, 2);
    one.write(name, "a");
    await one.until(name, { text: "a" });
  }

  const silence = await links.silence(waysBetween([1], [2]));
  one.dial("late", 2);
  await dropped(silence, 1);
  expect((await silence.seen()).counts).toMatchObject({ droppedEnds: 0 });
  // Sent once: nobody repeats it.
  one.tell("reset", "resetting");
  await dropped(silence, 2, 1);
  expect((await silence.seen()).counts).toMatchObject({ droppedEnds: 1 });
  one.tell("end", "ending");
  await dropped(silence, 3, 2);
});

test.skipIf(!isPossible)("a direction is silent, and the other one is not", async () => {
  const { links, nodes } = await twoNodes();
  const [one, two] = nodes;
  one.dial("out", 2);
  one.write("out", "a");
  await one.until("out", { text: "a" });

  const silence = await links.silence(waysFrom([1], [2]));
  const before = segmentsReceivedAt(links, 2);
  two.write("server-1", "to one");
  one.write("out", "to two");
  await one.until("out", { text: "ato one" });
  await dropped(silence, 1);

  expect(two.seen("server-1").text).toBe("a");
  // Not what the kernel of the way says, but that of the one who hears nothing.
  expect(segmentsReceivedAt(links, 2)).toBe(before);
});

test.skipIf(!isPossible)("who is silenced twice is heard when both have let go", async () => {
  const { links, nodes } = await twoNodes();
  const [one] = nodes;
  const first = await links.silence(waysBetween([1], [2]));
  const second = await links.silence(waysBetween([1], [2]));
  await first.end();
  one.dial("late", 2);
  await dropped(second, 1);
  expect(one.seen("late").isConnected).toBe(false);

  await second.end();

  await one.until("late", { isConnected: true });
});

test.skipIf(!isPossible)("a silence hides that nobody listens; else it is told", async () => {
  const links = await opened();
  const one = await PlaceProcess.start(links, 1, PORT);
  one.dial("refused", 2);
  await one.until("refused", { end: "ECONNREFUSED" });

  const silence = await links.silence(waysBetween([1], [2]));
  one.dial("waiting", 2);
  await dropped(silence, 1);

  expect(one.seen("waiting")).toMatchObject({ isConnected: false, end: "" });
});

test.skipIf(!isPossible)("a slow way passes all that it is given, and counts it", async () => {
  const { links, nodes } = await twoNodes();
  const [one] = nodes;
  const slowness = await links.slow(waysBetween([1], [2]), {
    bytesPerSecond: 200_000,
    delayMs: lacks.delay === undefined ? 20 : 0,
  });
  const text = "x".repeat(100_000);
  one.dial("out", 2);
  one.write("out", text);
  await one.until("out", { text });

  const { counts, hasBitten } = await slowness.end();
  expect(hasBitten).toBe(true);
  expect(counts["slowBytes"]).toBeGreaterThan(2 * text.length);
});

test.skipIf(!isPossible || lacks.loss !== undefined)("what is lost is sent again", async () => {
  const { links, nodes } = await twoNodes();
  const [one] = nodes;
  one.dial("out", 2);
  one.write("out", "a");
  await one.until("out", { text: "a" });

  const losses = await links.lose(waysBetween([1], [2]), 0.2);
  let text = "a";
  await until("some packets are lost, and some are not", PATIENCE_MS, async () => {
    text += "more";
    one.write("out", "more");
    const { lostPackets = 0, passedPackets = 0 } = (await losses.seen()).counts;
    return (lostPackets > 3 && passedPackets > 3) || undefined;
  });
  const { hasBitten } = await losses.end();
  await one.until("out", { text });
  // As good as none: what is lost now is lost by what should be gone.
  const hardlyAny = await links.lose(waysBetween([1], [2]), 1e-9);
  await until("many packets pass", PATIENCE_MS, async () => {
    one.write("out", "more");
    return ((await hardlyAny.seen()).counts["passedPackets"] ?? 0) > 60 || undefined;
  });

  expect(hasBitten).toBe(true);
  expect((await hardlyAny.end()).counts["lostPackets"]).toBe(0);
});

test.skipIf(!isPossible)("the machine's interfaces and routes are left alone", async () => {
  const before = networkOfMachine();
  const [some, others] = [await opened(), await opened()];

  expect(networkOfMachine()).toEqual(before);
  // Two of them beside each other have the same addresses, and do not meet.
  expect(some.address(1, 2)).toBe(others.address(1, 2));
  const away = await PlaceProcess.start(others, 2, PORT);
  const one = await PlaceProcess.start(some, 1, PORT);
  one.dial("out", 2);
  await one.until("out", { end: "ECONNREFUSED" });
  expect(away.seen("server-1").isConnected).toBe(false);
});

test("without its programs the kernel is not asked, and packages are named", async () => {
  vi.stubEnv("PATH", "/nowhere");

  await expect(tryNamespaces()).rejects.toThrow(
    process.platform === "linux"
      ? "there is no unshare, nsenter, ip, tc: apt-get install util-linux iproute2"
      : "network namespaces are of Linux",
  );
});
