export { type Console, runConformance } from "./conformance.ts";
export { type Grammar, type Outcome, replay } from "./replay.ts";
export {
  type Argument,
  type CommandLine,
  type Directive,
  parseCommandLine,
  parseScript,
  renderScript,
  type Script,
  ScriptError,
} from "./script.ts";
