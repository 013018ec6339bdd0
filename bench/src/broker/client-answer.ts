import type { ClientAnswer } from "./client-process.ts";

/** What the client of a measurement has answered, which has to be of this type. */
export function answered<Type extends ClientAnswer["type"]>(
  answer: ClientAnswer,
  type: Type,
): ClientAnswer & { readonly type: Type } {
  if (answer.type === type) return answer as ClientAnswer & { readonly type: Type };
  throw new Error(`the client answered ${answer.type}, not ${type}`);
}
