/**
 * One way as a class of packets of `tc`, on the interface that leads to where the way goes:
 *
 *     interface of node 2 ── htb 1: ─┬─ 1:1    packets of node 1 ── queue, or black hole
 *                                    ├─ 1:401  their ends, while the way is silent ── black hole
 *                                    ├─ 1:801  their losses, while it loses ── black hole
 *                                    └─ 1:2    packets of node 3 ── ...
 *
 * A black hole is the kernel's own queue that drops everything and tells nobody. What a class has
 * sent and dropped since it was made is counted by the kernel.
 */

/** How a way is at the moment. */
export interface WayShape {
  readonly isSilent: boolean;
  /** `Infinity`: whatever there is to pass. */
  readonly bytesPerSecond: number;
  readonly delayMs: number;
  /** Of packets that are lost, in [0, 1). */
  readonly lossShare: number;
}

export const OPEN_WAY: WayShape = {
  isSilent: false,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  delayMs: 0,
  lossShare: 0,
};

/** Where a way's packets can be told from others. */
export interface Lane {
  /** The interface that they leave by. */
  readonly device: string;
  /** Of the way alone, on all interfaces: in [1, 1023]. */
  readonly number: number;
  /** That they come from, IPv4. */
  readonly source: string;
}

/** Since the lane was made. */
export interface LaneCounts {
  readonly sentPackets: number;
  readonly sentBytes: number;
  /** In silence, or as there was no room in a queue. */
  readonly droppedPackets: number;
  /** FIN and RST, in silence. */
  readonly droppedEnds: number;
  readonly lostPackets: number;
}

export const LANE_NUMBER_MAX = 1_023;

const ENDS_OFFSET = 0x400;
const LOST_OFFSET = 0x800;
/** Filters with lower ones see packets first. */
const PRIORITY = { ends: 10_000, lost: 20_000, way: 30_000 } as const;
const RATE_BITS_OPEN = 10_000_000_000;
/** Bytes that a class may send at once: `tc` would guess. */
const QUANTUM = 60_000;
const QUEUE_BYTES_OPEN = 4 * 1024 * 1024;
/** So that a slow way is late by what it has to send, not by an endless queue. */
const QUEUE_SECONDS_SLOW = 0.25;
const QUEUE_BYTES_SLOW_MIN = 64 * 1024;
const DELAYED_PACKETS_MAX = 10_000;
const BITS_PER_BYTE = 8;

/** Once, before lanes are made on it. Other packets pass as if nothing were there. */
export function deviceCommands(device: string): string[] {
  return [`qdisc add dev ${device} root handle 1: htb default 0`];
}

/** An open way. */
export function laneCommands(lane: Lane): string[] {
  const { device, source } = lane;
  const { way, ends, lost } = classesOf(lane);
  return [
    ...[way, ends, lost].map(
      (id) => `class add dev ${device} parent 1: classid ${id} htb ${rateOf(OPEN_WAY)}`,
    ),
    ...[ends, lost].map((id) => `qdisc add dev ${device} parent ${id} blackhole`),
    `qdisc add dev ${device} parent ${way} ${queueOf(OPEN_WAY)}`,
    `${filter("add", lane, "way")} u32 match ip src ${source}/32 flowid ${way}`,
  ];
}

/** From one shape to another one. */
export function reshapeCommands(lane: Lane, before: WayShape, after: WayShape): string[] {
  const { device } = lane;
  const { way } = classesOf(lane);
  const commands: string[] = [];
  if (queueOf(before) !== queueOf(after))
    commands.push(`qdisc replace dev ${device} parent ${way} ${queueOf(after)}`);
  if (rateOf(before) !== rateOf(after))
    commands.push(`class change dev ${device} parent 1: classid ${way} htb ${rateOf(after)}`);
  if (before.isSilent !== after.isSilent)
    commands.push(...(after.isSilent ? endFilters(lane) : [filter("del", lane, "ends")]));
  if (before.lossShare !== after.lossShare) {
    if (before.lossShare > 0) commands.push(filter("del", lane, "lost"));
    if (after.lossShare > 0) commands.push(lossFilter(lane, after.lossShare));
  }
  return commands;
}

/** Tell what `countsIn` reads. */
export function countCommands(lanes: readonly Lane[]): string[] {
  const devices = new Set(lanes.map(({ device }) => device));
  return [...devices].map((device) => `class show dev ${device}`);
}

/** @param output - Of `tc -s`, for at least the interface of the lane. */
export function countsIn(output: string, lane: Lane): LaneCounts {
  const { way, ends, lost } = classesOf(lane);
  const { packets, bytes, drops } = classCounts(output, way);
  const droppedEnds = classCounts(output, ends).drops;
  return {
    sentPackets: packets,
    sentBytes: bytes,
    droppedPackets: drops + droppedEnds,
    droppedEnds,
    lostPackets: classCounts(output, lost).drops,
  };
}

function classCounts(
  output: string,
  id: string,
): { readonly packets: number; readonly bytes: number; readonly drops: number } {
  const pattern = `class htb ${id} .*\\n\\s*Sent (\\d+) bytes (\\d+) pkt \\(dropped (\\d+),`;
  const match = new RegExp(pattern, "u").exec(output);
  if (match === null) throw new Error(`tc counts nothing of class ${id}: ${output.slice(0, 200)}`);
  const [bytes = 0, packets = 0, drops = 0] = match.slice(1).map(Number);
  return { packets, bytes, drops };
}

function classesOf({ number }: Lane): {
  readonly way: string;
  readonly ends: string;
  readonly lost: string;
} {
  const id = (offset: number): string => `1:${(offset + number).toString(16)}`;
  return { way: id(0), ends: id(ENDS_OFFSET), lost: id(LOST_OFFSET) };
}

/** What is in a queue that is replaced by one of another kind is gone. */
function queueOf({ isSilent, bytesPerSecond, delayMs }: WayShape): string {
  if (isSilent) return "blackhole";
  if (delayMs > 0) return `netem delay ${Math.round(delayMs)}ms limit ${DELAYED_PACKETS_MAX}`;
  if (bytesPerSecond === Number.POSITIVE_INFINITY) return `bfifo limit ${QUEUE_BYTES_OPEN}`;
  const bytes = Math.round(bytesPerSecond * QUEUE_SECONDS_SLOW);
  return `bfifo limit ${Math.max(QUEUE_BYTES_SLOW_MIN, bytes)}`;
}

function rateOf({ bytesPerSecond }: WayShape): string {
  const bits = Math.min(RATE_BITS_OPEN, Math.round(bytesPerSecond * BITS_PER_BYTE));
  return `rate ${bits}bit quantum ${QUANTUM}`;
}

function filter(verb: "add" | "del", lane: Lane, kind: keyof typeof PRIORITY): string {
  const { device, number } = lane;
  return `filter ${verb} dev ${device} parent 1: protocol ip prio ${PRIORITY[kind] + number}`;
}

/** TCP's flags are a byte, 13 bytes behind the 20 of an IPv4 header. */
function endFilters(lane: Lane): string[] {
  const { ends } = classesOf(lane);
  const source = `match ip src ${lane.source}/32 match ip protocol 6 0xff`;
  const [fin, rst] = ["0x01", "0x04"];
  return [fin, rst].map(
    (flag) =>
      `${filter("add", lane, "ends")} u32 ${source} match u8 ${flag} ${flag} at 33 flowid ${ends}`,
  );
}

/**
 * Each packet of the lane by chance, by a program for the kernel's packet filter: the source is at
 * byte 12 of the IPv4 header, and -4056 is where the kernel keeps a random number.
 */
function lossFilter(lane: Lane, share: number): string {
  const source = lane.source.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const networkHeader = 2 ** 32 - 0x100000;
  const random = 2 ** 32 - 0x1000 + 56;
  const below = Math.round(share * 2 ** 32);
  const program = [
    `32 0 0 ${networkHeader + 12}`, // load the source
    `21 0 3 ${source}`, // is it this one? else not lost
    `32 0 0 ${random}`, // load a random number
    `53 1 0 ${below}`, // is it as large? then not lost
    `6 0 0 ${2 ** 32 - 1}`, // lost: into the class that is named behind
    "6 0 0 0", // not lost: other filters see it
  ];
  const bytecode = `${program.length},${program.join(",")}`;
  return `${filter("add", lane, "lost")} bpf bytecode "${bytecode}" flowid ${classesOf(lane).lost}`;
}
