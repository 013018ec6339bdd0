/**
 * What this machine offers for network namespaces, found out by doing it: in two of them that are
 * gone afterwards.
 */

import { CommandError, runCommand } from "./command.ts";
import type { LinkLacks } from "./links.ts";
import { FORWARDING_COMMAND } from "./namespace-links.ts";
import { NetworkNamespace } from "./network-namespace.ts";
import {
  countCommands,
  countsIn,
  deviceCommands,
  laneCommands,
  OPEN_WAY,
  reshapeCommands,
  type WayShape,
} from "./traffic-control.ts";

/** It cannot be done here; the message says what is missing, and what helps. */
export class NamespacesMissingError extends Error {
  override readonly name = "NamespacesMissingError";
}

interface Tool {
  readonly command: readonly string[];
  /** Of Debian. */
  readonly inPackage: string;
}

const TOOLS: readonly Tool[] = [
  { command: ["unshare", "--version"], inPackage: "util-linux" },
  { command: ["nsenter", "--version"], inPackage: "util-linux" },
  { command: ["ip", "-V"], inPackage: "iproute2" },
  { command: ["tc", "-V"], inPackage: "iproute2" },
];
const LANE = { device: "trial0", number: 1, source: "198.18.1.2" } as const;

/**
 * @returns what the kernel cannot do of what may be missing.
 * @throws NamespacesMissingError if something is missing that has to be there
 */
export async function tryNamespaces(): Promise<LinkLacks> {
  await demandTools();
  const opened: NetworkNamespace[] = [];
  try {
    opened.push(await demand("network namespaces", rootAdvice(), () => NetworkNamespace.open()));
    opened.push(await demand("network namespaces", rootAdvice(), () => NetworkNamespace.open()));
    const [router, place] = opened;
    if (router === undefined || place === undefined) throw new Error("there are two");
    await demandDrops(router, place);
    const tried = async (shape: Partial<WayShape>): Promise<string | undefined> => {
      const commands = reshapeCommands(LANE, OPEN_WAY, { ...OPEN_WAY, ...shape });
      return failureOf(() => control(router, commands));
    };
    const delay = await tried({ delayMs: 1 });
    const loss = await tried({ lossShare: 0.5 });
    return {
      ...(delay === undefined ? {} : { delay: `netem in the kernel (sch_netem; ${delay})` }),
      ...(loss === undefined ? {} : { loss: `packet programs in the kernel (cls_bpf; ${loss})` }),
    };
  } finally {
    for (const namespace of opened) namespace.close();
  }
}

async function demandTools(): Promise<void> {
  if (process.platform !== "linux")
    throw new NamespacesMissingError(
      `network namespaces are of Linux, and this is ${process.platform}: use the proxies`,
    );
  const missing: Tool[] = [];
  for (const tool of TOOLS)
    if ((await failureOf(() => runCommand(tool.command))) !== undefined) missing.push(tool);
  if (missing.length === 0) return;
  const names = missing.map(({ command: [name] }) => name).join(", ");
  const packages = [...new Set(missing.map(({ inPackage }) => inPackage))].join(" ");
  throw new NamespacesMissingError(`there is no ${names}: apt-get install ${packages}`);
}

/** Interfaces, a router, and ways that can be silent and slow. */
async function demandDrops(router: NetworkNamespace, place: NetworkNamespace): Promise<void> {
  const { device } = LANE;
  const batch = ["ip", "-batch", "-"];
  await demand("pairs of interfaces", "the kernel has to have veth", () =>
    router.run(batch, [
      `link add ${device} type veth peer name eth0 netns ${place.path}`,
      `link set ${device} up`,
    ]),
  );
  await demand("routers", "/proc/sys has to be writable", () => router.run(FORWARDING_COMMAND));
  await demand("drops", "the kernel has to have sch_htb and cls_u32", async () => {
    await control(router, [...deviceCommands(device), ...laneCommands(LANE)]);
    const closed = { ...OPEN_WAY, isSilent: true };
    await control(router, reshapeCommands(LANE, OPEN_WAY, closed));
    countsIn(await control(router, countCommands([LANE])), LANE);
    await control(router, reshapeCommands(LANE, closed, OPEN_WAY));
  });
}

function control(namespace: NetworkNamespace, commands: readonly string[]): Promise<string> {
  return namespace.run(["tc", "-s", "-batch", "-"], commands);
}

async function demand<T>(what: string, advice: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new NamespacesMissingError(`no ${what} here: ${advice} (${words})`, { cause: error });
  }
}

/** @returns why it does not work, in a line; `undefined` if it does. */
async function failureOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const [line = ""] = error.message.split("\n");
    return line.slice(line.lastIndexOf(": ") + 2);
  }
}

function rootAdvice(): string {
  return process.getuid?.() === 0
    ? "a container has to allow them (CAP_SYS_ADMIN)"
    : "run it as root, or behind `unshare --user --map-root-user`";
}
