/** `quorumlog cluster status|members`: how the nodes of a cluster are. */

import type { Admin } from "@quorumlog/client";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { lookAtCluster, type NodeLook } from "../cluster-look.ts";
import { type Command, command } from "../command.ts";
import { EXIT, tellFailure } from "../failure.ts";
import { pause } from "../process-life.ts";
import { diskText, roleOf, rulesLines, statusObject, statusTable } from "../status-table.ts";
import { tableOf } from "../table.ts";

const WATCH_MS = 1_000;
/** The group with the metadata, which every cluster has. */
const METADATA_GROUP_ID = 1;

export const CLUSTER_STATUS: Command = command(
  {
    ...CLUSTER_SETTINGS,
    watch: { type: "flag", about: "again and again, until it is interrupted" },
  },
  {
    name: "cluster status",
    about: "shows each node: its role, and how far it is",
    notes: [
      "Exit code 1 if a node does not answer, a group has no leader, or a disk is full; each is",
      "told on stderr.",
      "Messages are what a node has applied since it was started: 0 after a start is no loss.",
    ],
    relations: clusterProblems,
    async run({ settings, signal }) {
      const { json, watch } = settings;
      await using admin = await openAdmin(settings, signal);
      for (;;) {
        const looks = await lookAtCluster(admin, signal);
        if (json) for (const look of looks) console.log(JSON.stringify(statusObject(look)));
        else for (const line of [statusTable(looks), ...rulesLines(looks)]) console.log(line);
        if (watch) await pause(WATCH_MS, signal);
        if (watch && !signal.aborted) continue;
        const problems = troublesOf(admin, looks);
        if (problems.length === 0) return EXIT.done;
        tellFailure(json, { lines: problems, detail: { error: { code: "NOT_WELL", problems } } });
        return EXIT.failed;
      }
    },
  },
);

export const CLUSTER_MEMBERS: Command = command(CLUSTER_SETTINGS, {
  name: "cluster members",
  about: "shows who belongs to each broker group, and how far the leader has brought them",
  relations: clusterProblems,
  async run({ settings, signal }) {
    await using admin = await openAdmin(settings, signal);
    const looks = await lookAtCluster(admin, signal);
    const leaders = new Map(
      looks.flatMap(({ groupId, status }) =>
        status?.role === "leader" ? [[groupId, status]] : [],
      ),
    );
    const members = looks.map((look) => {
      const { group, groupId, nodeId, address, membership } = look;
      const leader = leaders.get(groupId);
      const match =
        leader?.progress.find((each) => each.nodeId === nodeId)?.matchIndex ?? undefined;
      const matchIndex = leader?.nodeId === nodeId ? leader.syncedIndex : match;
      const behind = matchIndex === undefined ? undefined : (leader?.lastIndex ?? 0) - matchIndex;
      const isUp = look.status !== undefined;
      return { group, groupId, nodeId, membership, role: roleOf(look), isUp, behind, address };
    });
    if (settings.json) for (const member of members) console.log(JSON.stringify(member));
    else {
      const heads = ["group", "node", "membership", "role", "behind", "address"];
      const rows = members.map(({ group, nodeId, membership, role, behind, address }) => {
        return [group, nodeId, membership, role, behind ?? "?", address === "" ? "-" : address];
      });
      console.log(tableOf(heads, rows));
    }
  },
});

/** What is not as it should be, and where to look. */
function troublesOf(admin: Admin, looks: readonly NodeLook[]): string[] {
  const silent = looks
    .filter(({ status }) => status === undefined)
    .map(({ group, nodeId }) => `${group}: node ${nodeId} does not answer: its own log says why`);
  const told = looks
    .filter(({ status }) => status !== undefined && status.problem !== "")
    .map(({ group, nodeId, status }) => `${group}: node ${nodeId} says: ${status?.problem}`);
  const full = looks.flatMap(({ group, nodeId, address, status }) =>
    status?.isDiskFull === true
      ? [`${group}: node ${nodeId} (${address}): disk ${diskText(status)}: publishes are refused`]
      : [],
  );
  const led = new Set(
    looks.filter(({ status }) => status?.role === "leader").map(({ groupId }) => groupId),
  );
  const { groups, topics } = admin.cluster();
  const unled = groups
    .filter(({ groupId }) => !led.has(groupId))
    .map(({ name }) => `${name} has no leader: most of its voters have to be up, and to meet`);
  const known = new Set(groups.map(({ groupId }) => groupId));
  // Of a group without any node NameServers say nothing: topics do, and the first one is always.
  const gone = [METADATA_GROUP_ID, ...topics.flatMap(({ groupIds }) => groupIds)]
    .filter((groupId, i, all) => !known.has(groupId) && all.indexOf(groupId) === i)
    .map((groupId) => `group ${groupId} has no leader: none of its nodes is up`);
  return [...silent, ...told, ...full, ...unled, ...gone];
}
