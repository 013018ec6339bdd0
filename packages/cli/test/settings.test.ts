// Goal: whoever mends a configuration mends all of it at once, and is told what was meant.
// Method: settings of three sources with mistakes in each; what is read, and what is said.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { addressProblem, type SettingSpecs } from "../src/setting-spec.ts";
import { readSettings } from "../src/settings.ts";
import { scratch } from "./kit/quorumlog.ts";

const SPECS: SettingSpecs = {
  nodeId: { type: "integer", about: "of the node", min: 1, max: 9, isRequired: true },
  dataDir: { type: "path", about: "its data", fallback: "./data", alias: "data" },
  listen: { type: "text", about: "where", check: addressProblem },
  peers: { type: "list", about: "the others", fallback: [] },
  flush: { type: "text", about: "when", oneOf: ["sync", "async"], fallback: "sync" },
  json: { type: "flag", about: "for programs" },
};

function read(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ReturnType<typeof readSettings> {
  return readSettings(SPECS, { args, environment, allNames: ["nameServers"] });
}

function fileOf(content: string): { readonly folder: string; readonly path: string } {
  const folder = scratch(onTestFinished);
  const path = join(folder, "node.json");
  writeFileSync(path, content);
  return { folder, path };
}

test("the command line goes before the environment, and that before the file", () => {
  const { folder, path } = fileOf('{ "nodeId": 1, "flush": "async", "dataDir": "here" }');

  const { settings, problems } = read(["--config", path, "--node-id=3"], {
    QUORUMLOG_NODE_ID: "2",
    QUORUMLOG_PEERS: "a, b",
  });

  expect(problems).toEqual([]);
  expect(settings).toEqual({
    nodeId: 3,
    dataDir: join(folder, "here"),
    listen: undefined,
    peers: ["a", "b"],
    flush: "async",
    json: false,
  });
});

test("everything that does not fit is told at once, with where it came from", () => {
  const { path } = fileOf('{ "nodId": 1, "listen": 7, "peers": [1], "colour": "red" }');

  const { problems } = read(["--config", path, "--jsn", "--data"], {
    QUORUMLOG_FLUSH: "never",
    QUORUMLOG_NODE_IDD: "1",
    QUORUMLOG_NAME_SERVERS: "of another command",
    QUORUMLOG_SERVICE_HOST: "of somebody else",
  });

  expect(problems).toEqual([
    "--jsn is not known here: did you mean --json?",
    "--data wants a value",
    "QUORUMLOG_NODE_IDD is not known here: did you mean QUORUMLOG_NODE_ID?",
    `${path}: nodId is not known here: did you mean nodeId?`,
    `${path}: colour is not known here: there are dataDir, flush, json, listen, nodeId, peers`,
    "--node-id is required: of the node",
    `${path}: listen: 7 is not a text`,
    `${path}: peers: 1 is not a text`,
    'QUORUMLOG_FLUSH: "never" is none of sync, async',
  ]);
});

test.skipIf(process.platform === "win32").each([
  [0o644, '{ "token": "a secret of the cluster" }', 1],
  [0o640, '{ "token": "a secret of the cluster" }', 0],
  [0o600, '{ "token": "a secret of the cluster" }', 0],
  [0o644, '{ "group": "a" }', 0],
])("of a file of mode %o with %s there are %d warnings", (mode, content, count) => {
  const { path } = fileOf(content);
  chmodSync(path, mode);
  const specs: SettingSpecs = {
    token: { type: "text", about: "a secret", isSecret: true },
    group: { type: "text", about: "no secret" },
  };

  const { settings, problems, warnings } = readSettings(specs, {
    args: ["--config", path],
    environment: {},
    allNames: [],
  });

  expect(problems).toEqual([]);
  expect(settings).toMatchObject(JSON.parse(content) as object);
  expect(warnings).toHaveLength(count);
  for (const warning of warnings) {
    expect(warning).toContain(`chmod 600 ${path}`);
    expect(warning).not.toContain("a secret of the cluster");
  }
});

test("a secret is not told, and a size that is no multiple is", () => {
  const specs: SettingSpecs = {
    token: { type: "text", about: "a secret", isSecret: true, check: () => "is too short" },
    bytes: { type: "integer", about: "of a file", multipleOf: 4_096 },
  };
  const problemsOf = (token: string, bytes: string): readonly string[] =>
    readSettings(specs, {
      args: ["--token", token, "--bytes", bytes],
      environment: {},
      allNames: [],
    }).problems;

  expect(problemsOf("hunter2", "4097")).toEqual([
    "--token: it is too short",
    '--bytes: "4097" is not a multiple of 4096',
  ]);
});

test.each([
  ["--node-id=0", '--node-id: "0" is not an integer in [1, 9]'],
  ["--node-id=", '--node-id: "" is not an integer in [1, 9]'],
  ["--node-id=1e0", '--node-id: "1e0" is not an integer in [1, 9]'],
  ["--listen=localhost", '--listen: "localhost" is not host:port, as in 10.0.0.1:7100'],
  ["--listen=a:70000", '--listen: "a:70000" is not host:port, as in 10.0.0.1:7100'],
  ["--json=maybe", '--json: "maybe" is neither true nor false'],
  [
    "-j",
    "-j is not known here: there are --config, --data, --data-dir, --flush, --json, --listen, " +
      "--node-id, --peers",
  ],
])("%s is refused", (arg, problem) => {
  expect(read([arg]).problems).toContain(problem);
});

test("a file that is not there, or no object, is a problem like others", () => {
  // What it may say is not missing.
  expect(read(["--config", "/nowhere.json"]).problems).toEqual([expect.stringContaining("ENOENT")]);
  const { path } = fileOf("[]");
  expect(read(["--config", path]).problems.join()).toContain("not an object of settings");
});

test("what is no flag is an operand, and everything behind --", () => {
  const { operands, settings } = read(["a", "--node-id", "1", "--no-json", "--", "--b"]);

  expect(operands).toEqual(["a", "--b"]);
  expect(settings["json"]).toBe(false);
});
