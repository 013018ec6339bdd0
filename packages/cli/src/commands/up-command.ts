/** `quorumlog up`: a cluster on this machine, with a table of how it is. */

import { Admin, type ClusterOptions } from "@quorumlog/client";
import { resolve } from "node:path";
import { JSON_SETTING } from "../cluster-settings.ts";
import { lookAtCluster } from "../cluster-look.ts";
import { type Command, command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { withProgress } from "../progress.ts";
import type { PathSetting } from "../setting-spec.ts";
import { statusTable } from "../status-table.ts";
import { channelTls, SERVER_TLS, serverTls, tlsProblems } from "../tls-settings.ts";
import type { Child } from "../up/child-process.ts";
import type { TlsFiles } from "../up/cluster-plan.ts";
import { demonstrate } from "../up/demonstration.ts";
import { LocalCluster } from "../up/local-cluster.ts";
import { lossLines, StatusBoard } from "../up/status-board.ts";

const DEFAULT_NAME_SERVER = "127.0.0.1:9876";

/** Of the ports for clients: peers on one machine know each other by their token. */
const TLS: typeof SERVER_TLS & { readonly tlsAuthority: PathSetting } = {
  ...SERVER_TLS,
  tlsCertificate: {
    type: "path",
    about: "PEM, for 127.0.0.1: NameServers and brokers speak TLS, this time and from then on",
  },
  tlsAuthority: {
    type: "path",
    about: "PEM: of that certificate; default: the system's authorities",
  },
};

export const UP: Command = command(
  {
    nodes: { type: "integer", about: "of each broker group; default 3", min: 1, max: 7 },
    groups: { type: "integer", about: "how many broker groups; default 1", min: 1, max: 8 },
    nameServers: {
      type: "integer",
      about: "how many; default 1",
      min: 1,
      max: 4,
      isOnLineAlone: true,
    },
    port: {
      type: "integer",
      about: "of the first NameServer; default: 9876 if it is free, else any",
      max: 65_535,
      isOnLineAlone: true,
    },
    dataDir: {
      type: "path",
      about: "where everything is kept; a second start goes on with it",
      fallback: "./quorumlog-data",
      alias: "data",
    },
    ...TLS,
    demo: { type: "flag", about: "publishes, kills the leader, consumes, and ends" },
    json: JSON_SETTING,
  },
  {
    name: "up",
    about: "starts a cluster on this machine: NameServers, and broker groups",
    notes: [
      "Each process is a child of this one, and ends with it. One that dies is shown, and not",
      "started again by itself: press r, or run the command that is shown with it.",
    ],
    examples: ["quorumlog up", "quorumlog up --groups 2 --data ./cluster", "quorumlog up --demo"],
    relations: (settings) => [
      ...tlsProblems(settings),
      ...(settings.tlsAuthority !== undefined && settings.tlsCertificate === undefined
        ? ["--tls-authority wants --tls-certificate: nothing speaks TLS without"]
        : []),
    ],
    isServer: ({ demo }) => !demo,
    async run({ settings, signal }) {
      const { demo, json: isJson } = settings;
      // What is wrong with a certificate is told once, and not by each process.
      serverTls(settings);
      const tls = tlsFiles(settings);
      let board: StatusBoard | undefined;
      const onLost = (child: Child): void => {
        if (board !== undefined) board.onLost(child);
        else for (const line of lossLines(child)) console.error(line);
      };
      await using local = await withProgress("the processes are starting", () =>
        LocalCluster.start({ ...settings, tls, onLost, signal }),
      );
      const cluster = clusterOptionsOf(local);
      await using admin = await Admin.open({ ...cluster, signal });
      await untilLed(admin, local.groupCount, signal);
      if (demo) return await runDemonstration({ local, admin, cluster }, signal);
      board = new StatusBoard({ local, admin, welcome: welcomeTo(local), isJson });
      const shown = board;
      const keys = listenForKeys(local, (child) => {
        shown.onStarted(child);
      });
      try {
        await shown.show(signal);
      } finally {
        keys[Symbol.dispose]();
      }
      if (!isJson) console.log("\nstopping; interrupt again to stop at once");
      return EXIT.done;
    },
  },
);

async function runDemonstration(
  parts: { readonly local: LocalCluster; readonly admin: Admin; readonly cluster: ClusterOptions },
  signal: AbortSignal,
): Promise<number> {
  const { admin } = parts;
  console.log(statusTable(await lookAtCluster(admin, signal)));
  const { acknowledged, consumed, duplicates, isInOrder } = await demonstrate(parts, signal);
  console.log(`\n${statusTable(await lookAtCluster(admin, signal))}\n`);
  const isWell = acknowledged > 0 && acknowledged === consumed && duplicates === 0 && isInOrder;
  const order = isInOrder ? "each message group in order" : "NOT IN ORDER";
  const read = `${consumed} consumed, ${duplicates} twice, ${order}`;
  console.log(`${isWell ? "verified" : "FAILED"}: ${acknowledged} acknowledged, ${read}`);
  return isWell ? EXIT.done : EXIT.failed;
}

/** By absolute paths: others start from other folders. */
function tlsFiles(
  settings: Partial<Record<keyof TlsFiles, string | undefined>>,
): TlsFiles | undefined {
  const { tlsCertificate, tlsKey, tlsClientAuthority, tlsAuthority } = settings;
  if (tlsCertificate === undefined || tlsKey === undefined) return undefined;
  return {
    tlsCertificate: resolve(tlsCertificate),
    tlsKey: resolve(tlsKey),
    ...(tlsClientAuthority === undefined
      ? {}
      : { tlsClientAuthority: resolve(tlsClientAuthority) }),
    ...(tlsAuthority === undefined ? {} : { tlsAuthority: resolve(tlsAuthority) }),
  };
}

/** It shows the certificate of the ports, as brokers do where they are clients. */
function clusterOptionsOf({ nameServers, tls: files }: LocalCluster): ClusterOptions {
  const tls = files === undefined ? undefined : channelTls(files);
  return { nameServers, ...(tls === undefined ? {} : { tls }) };
}

/** Until each group that was started has a leader: then everything can be asked of it. */
async function untilLed(admin: Admin, groupCount: number, signal: AbortSignal): Promise<void> {
  const ledCount = (): number =>
    admin.cluster().groups.filter(({ leaderNodeId }) => leaderNodeId !== 0).length;
  await withProgress("the nodes are electing their leaders", async () => {
    while (ledCount() < groupCount) await admin.clusterChange({ signal });
  });
}

/** What a person does next, to be copied. */
function welcomeTo({ nameServers, tls }: LocalCluster): string[] {
  const addresses = nameServers.join(",");
  const isDefault = addresses === DEFAULT_NAME_SERVER;
  return [
    `A cluster is up; NameServers at ${addresses}. In another terminal:`,
    "",
    ...(isDefault ? [] : [`  export QUORUMLOG_NAME_SERVERS=${addresses}`]),
    ...tlsLines(tls),
    "  npx quorumlog topic create orders",
    "  seq 1000 | npx quorumlog produce orders",
    "  npx quorumlog consume orders",
    "  npx quorumlog help",
    "",
    "kill -9 the process of a leader, and look: another one leads, and nothing is lost.",
  ];
}

function tlsLines(tls: TlsFiles | undefined): string[] {
  if (tls === undefined) return [];
  const { tlsAuthority, tlsClientAuthority } = tls;
  const trusted =
    tlsAuthority === undefined ? "QUORUMLOG_TLS=true" : `QUORUMLOG_TLS_AUTHORITY=${tlsAuthority}`;
  const shown = ["QUORUMLOG_TLS_CERTIFICATE=...", "QUORUMLOG_TLS_KEY=..."];
  return [trusted, ...(tlsClientAuthority === undefined ? [] : shown)].map(
    (variable) => `  export ${variable}`,
  );
}

/** `r` starts what has ended. In this mode of a terminal an interrupt is a key like any other. */
function listenForKeys(local: LocalCluster, onStarted: (child: Child) => void): Disposable {
  const { stdin } = process;
  if (!stdin.isTTY || !process.stdout.isTTY) return { [Symbol.dispose]: () => undefined };
  const onKey = (key: Buffer): void => {
    const text = key.toString();
    if (text === "\u0003" || text === "q") process.kill(process.pid, "SIGINT");
    if (text !== "r") return;
    for (const child of local.children.filter(({ isRunning }) => !isRunning))
      child.start().then(
        () => {
          onStarted(child);
        },
        // It has said why, and is shown as one that has ended.
        () => undefined,
      );
  };
  stdin.setRawMode(true);
  stdin.on("data", onKey);
  return {
    [Symbol.dispose]: () => {
      stdin.off("data", onKey);
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}
