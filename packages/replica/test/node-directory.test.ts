// Goal: what a node's directory notes is never lost by what is noted next.
// Method: groups that are opened at once, on one disk in memory; files as they are written.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { describe, expect, test } from "vitest";
import { foundingDigest } from "../src/founding.ts";
import { nodeEnvironment, ReplicatedLog } from "../src/index.ts";
import {
  readNodeIdentity,
  updateNodeIdentity,
  withFounding,
  writeNodeIdentity,
} from "../src/node-directory.ts";
import { openNode } from "../src/open-group.ts";

const GROUPS = [0, 7, 8];
const FOUNDERS = [
  { id: 1, incarnation: 5 },
  { id: 2, incarnation: 6 },
];
const IDENTITY = { clusterId: "c", nodeId: 1, incarnation: 5, groupIds: [3], foundings: [] };
const FOUNDING = { groupId: 3, digest: foundingDigest(FOUNDERS), founders: FOUNDERS };

test("groups that are opened at once are all there at the next start", async () => {
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const transport = network.transport({ nodeId: 1, incarnation: 0 });
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const open = (groupId: number, ifMissing: "found" | "fail"): Promise<ReplicatedLog> =>
    ReplicatedLog.open({
      directory: "/node",
      clusterId: "c",
      nodeId: 1,
      groupId,
      peers: { 1: "a:1" },
      ifMissing,
      transport,
      fileSystem,
      tuning: { segmentBytes: 65_536 },
    });

  const first = await Promise.all(GROUPS.map((groupId) => open(groupId, "found")));
  for (const log of first) await log.leader();
  for (const log of first) await log.append(Buffer.from(`of ${log.status().groupId}`));
  for (const log of first) await log.close({ handOver: false });
  const again = await Promise.all(GROUPS.map((groupId) => open(groupId, "fail")));

  for (const log of again) {
    await log.leader();
    await log.readBarrier();
    const [record] = log.read(0).records;
    expect(record?.data.toString()).toBe(`of ${log.status().groupId}`);
    await log.close({ handOver: false });
  }
});

describe("a start", () => {
  const place = {
    directory: "/node",
    clusterId: IDENTITY.clusterId,
    nodeId: IDENTITY.nodeId,
    groupId: 3,
    ifMissing: "fail",
  } as const;

  test("keeps what it has found, though the sync of its name had failed", () => {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
    writeNodeIdentity(fileSystem, "/node", IDENTITY);
    fileSystem.fault = ({ operation }) =>
      operation === "syncDirectory" ? new Error("EIO: i/o error") : undefined;
    const note = (): void => {
      updateNodeIdentity(fileSystem, "/node", (noted) => ({ ...noted, groupIds: [3, 4] }));
    };
    expect(note).toThrow("EIO");
    fileSystem.fault = undefined;
    fileSystem.crash("process");

    const found = openNode({ ...place, fileSystem });
    fileSystem.crash("power");

    expect(found.groupIds).toEqual([3, 4]);
    expect(readNodeIdentity(fileSystem, "/node")).toEqual(found);
  });

  test("on a disk that is empty, and should not be, is refused, and leaves no trace", () => {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });

    expect(() => openNode({ ...place, fileSystem })).toThrow("/node holds no node");
    expect(fileSystem.list("/node")).toBeUndefined();
  });

  test("syncs the names of the folders that it has found", async () => {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
    const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
    const transport = network.transport({ nodeId: 1, incarnation: 0 });
    const synced = new Set<string>();
    const parts = { transport, fileSystem, tuning: { segmentBytes: 65_536 } };
    const open = (ifMissing: "found" | "fail"): Promise<ReplicatedLog> =>
      ReplicatedLog.open({ ...place, ...parts, peers: { 1: "a:1" }, ifMissing });
    await (await open("found")).close();
    fileSystem.fault = ({ operation, path }) => {
      if (operation === "syncDirectory") synced.add(path);
      return undefined;
    };

    await (await open("fail")).close();

    expect([...synced].toSorted()).toEqual([
      "/node",
      "/node/group-3",
      "/node/group-3/log",
      "/node/group-3/snapshots",
    ]);
  });
});

describe("a directory", () => {
  test("keeps what was written between reading and noting", () => {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
    writeNodeIdentity(fileSystem, "/node", IDENTITY);

    updateNodeIdentity(fileSystem, "/node", (noted) => ({ ...noted, groupIds: [3, 4] }));
    updateNodeIdentity(fileSystem, "/node", (noted) => withFounding(noted, FOUNDING));

    const kept = { ...IDENTITY, groupIds: [3, 4], foundings: [FOUNDING] };
    expect(readNodeIdentity(fileSystem, "/node")).toMatchObject(kept);
  });

  test("holds to one founding of a group", () => {
    const noted = withFounding(IDENTITY, FOUNDING);
    const other = [{ id: 1, incarnation: 5 }];

    expect(withFounding(noted, FOUNDING)).toEqual(noted);
    expect(() =>
      withFounding(noted, { groupId: 3, digest: foundingDigest(other), founders: other }),
    ).toThrow("one founding");
  });

  test("whose file was changed is nobody's", () => {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
    const digest = foundingDigest([]);
    const changed = { ...FOUNDING, digest };
    writeNodeIdentity(fileSystem, "/node", { ...IDENTITY, foundings: [changed] });

    expect(() => readNodeIdentity(fileSystem, "/node")).toThrow("restore it");
  });

  test("of a later version is left to that", () => {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
    const later = { ...IDENTITY, format: 2 };
    writeNodeIdentity(fileSystem, "/node", later);

    expect(() => readNodeIdentity(fileSystem, "/node")).toThrow("format 2, and 1 is the latest");
  });
});
