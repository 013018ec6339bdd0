/**
 * Scripts of quorum arithmetic: `committed`, which draws what each voter has and prints what they
 * all have agreed on, and `vote`.
 *
 * Every answer is computed in other ways as well: by counting, joint with nothing, joint with
 * itself, with the halves swapped, and with a slow voter made slower. A way that disagrees adds a
 * line, which no script expects.
 */

import {
  EMPTY_CONFIGURATION,
  majorityIndex,
  majorityVote,
  type Member,
  quorumIndex,
  type VoteResult,
  voteResult,
} from "@quorumlog/raft";
import { Arguments, CommandError } from "./arguments.ts";
import type { Interpreter } from "./interpreter.ts";
import { INCARNATION } from "./member-changes.ts";
import type { Directive } from "./script.ts";

/** What is known of each voter; a voter without a row has not been heard of. */
type Known<T> = ReadonlyMap<number, T>;

interface Electorate {
  readonly voters: readonly Member[];
  readonly outgoing: readonly Member[];
  /** Whether the script asks for a joint quorum, be its second half empty. */
  readonly isJoint: boolean;
}

const VOTES: Readonly<Record<VoteResult, string>> = {
  won: "VoteWon",
  lost: "VoteLost",
  pending: "VotePending",
};

export class QuorumInterpreter implements Interpreter {
  run(directive: Directive): string {
    try {
      return run(directive);
    } catch (error) {
      if (error instanceof CommandError) return `error: ${error.message}\n`;
      throw error;
    }
  }
}

function run(directive: Directive): string {
  const args = new Arguments(directive.args, ["cfg", "cfgj", "idx", "votes"]);
  const outgoing = args.list("cfgj");
  const electorate: Electorate = {
    voters: members(args.integers("cfg")),
    outgoing: outgoing[0] === "zero" ? [] : members(args.integers("cfgj")),
    isJoint: outgoing.length > 0,
  };
  switch (directive.command) {
    case "committed":
      return committed(electorate, known(electorate, args.list("idx"), parseIndex));
    case "vote":
      return vote(electorate, known(electorate, args.list("votes"), parseVote));
    default:
      throw new CommandError("unknown command");
  }
}

function committed(electorate: Electorate, indexes: Known<number>): string {
  const { voters, outgoing, isJoint } = electorate;
  const lookUp = (id: number): number => indexes.get(id) ?? 0;
  const agreed = isJoint ? joint(voters, outgoing, lookUp) : majorityIndex(voters, lookUp);
  let text = describeIndexes(union(voters, outgoing), indexes);
  const check = (other: number, way: string): void => {
    if (other !== agreed) text += `${describeIndex(other)} <-- ${way}\n`;
  };
  if (isJoint) {
    check(joint(outgoing, voters, lookUp), "via symmetry");
    check(Math.min(counted(voters, lookUp), counted(outgoing, lookUp)), "via counting");
  } else {
    check(counted(voters, lookUp), "via counting");
    check(joint(voters, [], lookUp), "via zero-joint quorum");
    check(joint(voters, voters, lookUp), "via self-joint quorum");
    for (const { id } of voters) {
      const own = lookUp(id);
      if (own === 0 || own >= agreed) continue;
      for (const lower of [own - 1, 0]) {
        const lowered = (other: number): number => (other === id ? lower : lookUp(other));
        check(majorityIndex(voters, lowered), `with ${id} lowered to ${lower}`);
      }
    }
  }
  return `${text}${describeIndex(agreed)}\n`;
}

function vote(electorate: Electorate, votes: Known<boolean>): string {
  const { voters, outgoing, isJoint } = electorate;
  const lookUp = (id: number): boolean | undefined => votes.get(id);
  const result = isJoint ? jointVote(voters, outgoing, lookUp) : majorityVote(voters, lookUp);
  let text = "";
  const check = (other: VoteResult, way: string): void => {
    if (other !== result) text += `${VOTES[other]} <-- ${way}\n`;
  };
  check(jointVote(outgoing, voters, lookUp), "via symmetry");
  if (!isJoint) check(jointVote(voters, voters, lookUp), "via self-joint quorum");
  return `${text}${VOTES[result]}\n`;
}

function joint(
  voters: readonly Member[],
  votersOutgoing: readonly Member[],
  index: (id: number) => number,
): number {
  return quorumIndex({ ...EMPTY_CONFIGURATION, voters, votersOutgoing }, index);
}

function jointVote(
  voters: readonly Member[],
  votersOutgoing: readonly Member[],
  answer: (id: number) => boolean | undefined,
): VoteResult {
  return voteResult({ ...EMPTY_CONFIGURATION, voters, votersOutgoing }, answer);
}

/** As `majorityIndex`, by its definition: the highest index that more than half have reached. */
function counted(voters: readonly Member[], index: (id: number) => number): number {
  if (voters.length === 0) return Infinity;
  const reached = (at: number): number => voters.filter(({ id }) => index(id) >= at).length;
  const candidates = voters.map(({ id }) => index(id));
  return Math.max(0, ...candidates.filter((at) => reached(at) * 2 > voters.length));
}

/**
 * A chart: the bar of a voter is as long as the number of voters that are behind it.
 */
function describeIndexes(voters: readonly Member[], indexes: Known<number>): string {
  const width = voters.length;
  if (width === 0) return "<empty majority quorum>";
  const value = (id: number): number => indexes.get(id) ?? 0;
  let text = `${" ".repeat(width)}    idx\n`;
  for (const { id } of voters) {
    const behind = voters.filter((other) => value(other.id) < value(id)).length;
    const mark = indexes.has(id) ? `${"x".repeat(behind)}>` : "?";
    text += `${mark.padEnd(width + 1)} ${String(value(id)).padStart(5)}    (id=${id})\n`;
  }
  return text;
}

function describeIndex(index: number): string {
  return index === Infinity ? "∞" : String(index);
}

/** Pairs voters with values in the order both were written; `_` says nothing of its voter. */
function known<T>(
  electorate: Electorate,
  texts: readonly string[],
  parse: (text: string) => T,
): Known<T> {
  const ids = new Set([...electorate.voters, ...electorate.outgoing].map(({ id }) => id));
  if (ids.size !== texts.length)
    throw new CommandError(
      `mismatched input (explicit or _) for voters (${[...ids].join(" ")}): ${texts.join(" ")}`,
    );
  const rows = new Map<number, T>();
  for (const [i, id] of [...ids].entries()) {
    const text = texts[i] as string;
    if (text !== "_") rows.set(id, parse(text));
  }
  return rows;
}

function parseIndex(text: string): number {
  const index = /^\d+$/.test(text) ? Number(text) : 0;
  if (index === 0) throw new CommandError(`${text} is not an index`);
  return index;
}

function parseVote(text: string): boolean {
  if (text !== "y" && text !== "n") throw new CommandError(`unknown vote: ${text}`);
  return text === "y";
}

function members(ids: readonly number[]): Member[] {
  return [...new Set(ids)].map((id) => ({ id, incarnation: INCARNATION }));
}

function union(left: readonly Member[], right: readonly Member[]): Member[] {
  const ids = [...left, ...right].map(({ id }) => id);
  return members(ids.sort((a, b) => a - b));
}
