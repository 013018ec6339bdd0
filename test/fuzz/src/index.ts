export { runApply } from "./apply/apply-run.ts";
export { PortFuzzer } from "./ports/port-fuzzer.ts";
