/**
 * The commands of interaction scripts.
 *
 * The first table is the language of the recorded scripts; the second is what they lack and our own
 * scenarios need: crashes, restarts, a network that repeats and reorders, reads.
 */

import {
  type ConfigurationChange,
  parseRaftOptions,
  type ProposeResult,
  type RaftOptions,
  type Transition,
} from "@quorumlog/raft";
import { Arguments, CommandError } from "../arguments.ts";
import { INCARNATION, parseMemberChanges } from "../member-changes.ts";
import { describeProgresses } from "../membership.ts";
import type { CommandLine } from "../script.ts";
import { describeEntries } from "./describe.ts";
import { isEnvelopeName } from "./envelope.ts";
import type { Environment, Recipient } from "./environment.ts";
import { logLevelNames, parseLogLevel } from "./output.ts";
import { quote } from "./quote.ts";

interface Command {
  /** Its named arguments. */
  readonly names?: readonly string[];
  run(environment: Environment, args: Arguments): void;
}

const RECORDED: Readonly<Record<string, Command>> = {
  _breakpoint: { run: () => undefined },
  "add-nodes": {
    names: [
      "voters",
      "learners",
      "index",
      "content",
      "inflight",
      "async-storage-writes",
      "prevote",
      "checkquorum",
      "max-committed-size-per-ready",
      "disable-conf-change-validation",
      "read-only",
      "step-down-on-removal",
      "parked",
      "append-bytes",
    ],
    run: addNodes,
  },
  campaign: { run: (env, args) => env.node(args.integer(0)).core.campaign() },
  compact: { run: (env, args) => env.node(args.integer(0)).compact(args.integer(1)) },
  "deliver-msgs": { names: ["type", "drop", "from", "count"], run: deliverMessages },
  "forget-leader": { run: (env, args) => env.node(args.integer(0)).core.forgetLeader() },
  "log-level": { run: (env, args) => setLogLevel(env, args.text(0)) },
  "process-append-thread": {
    run: (env, args) =>
      eachNode(env, args, {
        title: "processing append thread",
        act: (id) => env.processAppend(id),
      }),
  },
  "process-apply-thread": {
    run: (env, args) =>
      eachNode(env, args, { title: "processing apply thread", act: (id) => env.processApply(id) }),
  },
  "process-ready": {
    run: (env, args) =>
      eachNode(env, args, { title: "handling Ready", act: (id) => env.processReady(id) }),
  },
  propose: {
    run: (env, args) => {
      const data = new TextEncoder().encode(args.text(1));
      told(env, env.node(args.integer(0)).core.propose([data]));
    },
  },
  "raft-log": { run: printLog },
  "raft-state": { run: (env) => env.output.write(env.describeState()) },
  "report-unreachable": {
    run: (env, args) => env.node(args.integer(0)).core.reportUnreachable(args.integer(1)),
  },
  "send-snapshot": { run: sendSnapshot },
  "set-randomized-election-timeout": {
    names: ["timeout"],
    run: (env, args) =>
      env.node(args.integer(0)).core.setRandomizedElectionTicks(args.requiredInteger("timeout")),
  },
  stabilize: { names: ["log-level"], run: stabilize },
  status: {
    run: (env, args) =>
      env.output.write(describeProgresses(env.node(args.integer(0)).core.progress())),
  },
  "tick-election": {
    run: (env, args) => {
      const { core, options } = env.node(args.integer(0));
      for (let i = 0; i < options.electionTicks; i++) core.tick();
    },
  },
  "tick-heartbeat": {
    run: (env, args) => {
      const { core, options } = env.node(args.integer(0));
      for (let i = 0; i < options.heartbeatTicks; i++) core.tick();
    },
  },
  "transfer-leadership": {
    names: ["from", "to"],
    run: (env, args) => {
      const to = env.node(args.requiredInteger("to")).id;
      env.node(args.requiredInteger("from")).core.transferLeadership(to);
    },
  },
};

const OWN: Readonly<Record<string, Command>> = {
  crash: {
    names: ["persisted"],
    run: (env, args) => env.crash(args.integer(0), args.namedInteger("persisted") ?? 0),
  },
  "dup-msgs": {
    run: (env, args) => env.duplicate(args.count > 0 ? args.integer(0) : undefined),
  },
  "read-index": {
    names: ["ctx"],
    run: (env, args) => {
      const isAccepted = env.node(args.integer(0)).core.readIndex(args.requiredInteger("ctx"));
      if (!isAccepted) env.output.write("raft read dropped\n");
    },
  },
  "reorder-msgs": {
    names: ["seed"],
    run: (env, args) =>
      env.reorder(args.requiredInteger("seed"), args.count > 0 ? args.integer(0) : undefined),
  },
  "report-peer-gone": {
    run: (env, args) => env.node(args.integer(0)).core.reportPeerGone(args.integer(1)),
  },
  "report-snapshot": {
    names: ["outcome"],
    run: (env, args) => {
      const outcome = args.namedText("outcome");
      if (outcome !== "finished" && outcome !== "failed")
        throw new CommandError("outcome= is neither finished nor failed");
      env.node(args.integer(0)).core.reportSnapshot(args.integer(1), outcome);
    },
  },
  restart: { run: (env, args) => env.node(args.integer(0)).restart() },
  "state-machine": {
    run: (env, args) => {
      const { data, lastIncludedIndex } = env.node(args.integer(0)).newestSnapshot;
      env.output.write(`applied ${lastIncludedIndex}: ${quote(data)}\n`);
    },
  },
  tick: { names: ["n", "elapsed"], run: tick },
};

const COMMANDS: ReadonlyMap<string, Command> = new Map(Object.entries({ ...RECORDED, ...OWN }));

/** @throws {@link CommandError} if the command, or one of its arguments, makes no sense. */
export function runCommand(environment: Environment, { command, args }: CommandLine): void {
  const known = COMMANDS.get(command);
  if (known === undefined) throw new CommandError("unknown command");
  known.run(environment, new Arguments(args, known.names));
}

/** The one command whose input lines are not commands themselves. */
export const PROPOSE_CONFIGURATION_CHANGE = "propose-conf-change";

/** @param input - The changes, as `v3 l4 r5 u2`; none to leave a joint configuration. */
export function proposeConfigurationChange(
  environment: Environment,
  { args }: CommandLine,
  input: string,
): void {
  const known = new Arguments(args, ["v1", "transition"]);
  const changes = parseMemberChanges(input);
  const transition = parseTransition(known.namedText("transition") ?? "auto");
  const isSingle = known.namedBoolean("v1") ?? false;
  if (isSingle && (changes.length !== 1 || transition !== "auto"))
    throw new CommandError("v1 conf change can only have one operation and no transition");
  const form = isSingle ? "single" : "set";
  const change: ConfigurationChange = { form, transition, changes };
  told(environment, environment.node(known.integer(0)).core.proposeConfigurationChange(change));
}

function addNodes(environment: Environment, args: Arguments): void {
  const isBootstrap = ["voters", "learners", "index", "content"].some((name) => args.has(name));
  const index = args.namedInteger("index") ?? 0;
  if (isBootstrap && index <= 1)
    throw new CommandError("index must be specified as > 1 due to bootstrap");
  const bootstrap = {
    voters: args.integers("voters"),
    learners: args.integers("learners"),
    index,
    content: args.namedText("content") ?? "",
  };
  environment.addNodes(args.integer(0), nodeOptions(args), isBootstrap ? bootstrap : undefined);
}

/** No limits, and none of the safeguards that a production node has on, unless asked for. */
function nodeOptions(args: Arguments): RaftOptions {
  const readOnly = args.namedText("read-only") ?? "safe";
  if (readOnly !== "safe" && readOnly !== "lease-based")
    throw new CommandError(`invalid read-only option "${readOnly}"`);
  return parseRaftOptions({
    electionTicks: 3,
    heartbeatTicks: 1,
    preVote: args.namedBoolean("prevote") ?? false,
    checkQuorum: args.namedBoolean("checkquorum") ?? false,
    stepDownOnRemoval: args.namedBoolean("step-down-on-removal") ?? false,
    leaseReads: readOnly === "lease-based",
    appendBytesMax: args.namedInteger("append-bytes") ?? 2 ** 40,
    inflightCountMax: args.namedInteger("inflight") ?? 2 ** 31 - 1,
    inflightBytesMax: 2 ** 50,
    uncommittedBytesMax: 2 ** 50,
    applyingBytesMax: args.namedInteger("max-committed-size-per-ready") ?? 2 ** 50,
    // The recorded scripts know no parking: what is proposed during a transfer is dropped.
    parkedCountMax: args.namedInteger("parked") ?? 0,
    validateConfigurationChanges: !(args.namedBoolean("disable-conf-change-validation") ?? false),
    storageWrites: (args.namedBoolean("async-storage-writes") ?? false) ? "async" : "sync",
  });
}

function deliverMessages(environment: Environment, args: Arguments): void {
  const name = args.namedText("type");
  if (name !== undefined && !isEnvelopeName(name))
    throw new CommandError(`unknown message type ${name}`);
  const recipients: Recipient[] = args.ids().map((id) => ({ id, isDropped: false }));
  for (const id of args.integers("drop")) {
    if (recipients.some((recipient) => recipient.id === id))
      throw new CommandError(`can't both deliver and drop msgs to ${id}`);
    recipients.push({ id, isDropped: true });
  }
  const filter = {
    name,
    from: args.has("from") ? args.integers("from") : undefined,
    countMax: args.namedInteger("count"),
  };
  if (environment.deliver(recipients, filter) === 0) environment.output.write("no messages\n");
}

function eachNode(
  environment: Environment,
  args: Arguments,
  work: { readonly title: string; act(id: number): void },
): void {
  const ids = args.ids();
  for (const id of ids) {
    if (ids.length === 1) work.act(id);
    else {
      environment.output.write(`> ${id} ${work.title}\n`);
      environment.output.indented(() => work.act(id));
    }
  }
}

/** What a proposal came to, where it did not simply enter the log. */
function told(environment: Environment, result: ProposeResult): void {
  switch (result.status) {
    case "dropped":
      throw new CommandError("raft proposal dropped");
    case "parked":
      environment.output.write(`parked under ticket ${result.ticket}\n`);
      return;
    case "appended":
    case "refused":
      return;
  }
}

function printLog(environment: Environment, args: Arguments): void {
  const { storage } = environment.node(args.integer(0));
  const low = storage.firstIndex();
  const last = storage.lastIndex();
  if (last < low) {
    environment.output.write(`log is empty: first index=${low}, last index=${last}`);
    return;
  }
  const entries = storage.entries({ low, high: last + 1, bytesMax: Infinity });
  environment.output.write(describeEntries(entries ?? []));
}

function sendSnapshot(environment: Environment, args: Arguments): void {
  const from = environment.node(args.integer(0));
  environment.send({
    type: "InstallSnapshot",
    from: from.id,
    to: environment.node(args.integer(1)).id,
    fromIncarnation: INCARNATION,
    toIncarnation: INCARNATION,
    term: from.core.status().currentTerm,
    snapshot: from.newestSnapshot,
  });
}

function setLogLevel(environment: Environment, text: string): void {
  const level = parseLogLevel(text);
  if (level === undefined)
    throw new CommandError(`log levels must be either of [${logLevelNames()}]`);
  environment.output.level = level;
}

function stabilize(environment: Environment, args: Arguments): void {
  const before = environment.output.level;
  const level = args.namedText("log-level");
  try {
    if (level !== undefined) setLogLevel(environment, level);
    environment.stabilize(args.ids());
  } finally {
    environment.output.level = before;
  }
}

function tick(environment: Environment, args: Arguments): void {
  const { core } = environment.node(args.integer(0));
  const elapsed = args.namedInteger("elapsed");
  if (elapsed !== undefined) core.tick(elapsed);
  else for (let i = 0; i < (args.namedInteger("n") ?? 1); i++) core.tick();
}

function parseTransition(text: string): Transition {
  if (text === "auto" || text === "implicit" || text === "explicit") return text;
  throw new CommandError(`unknown transition ${text}`);
}
