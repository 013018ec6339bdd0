/**
 * Proofs that the other end has the token, without sending it.
 *
 * Each covers what both ends have said so far, random bytes of the verifier among it, so none can
 * be used twice; the labels keep an acceptor's from passing for a dialer's.
 */

import { createHmac, timingSafeEqual } from "node:crypto";

const HELLO_LABEL = "quorumlog hello 1\0";
const WELCOME_LABEL = "quorumlog welcome 1\0";
const NO_PROOF: Uint8Array = new Uint8Array(0);

/** Of a handshake over mTLS it may be `undefined`: the certificates prove enough. */
export type Token = Uint8Array | undefined;

export function helloProof(token: Token, challenge: Uint8Array, covered: Uint8Array): Uint8Array {
  return proofOf(token, [HELLO_LABEL, challenge, covered]);
}

/** @param said - The challenge, and the whole hello. */
export function welcomeProof(
  token: Token,
  said: readonly Uint8Array[],
  covered: Uint8Array,
): Uint8Array {
  return proofOf(token, [WELCOME_LABEL, ...said, covered]);
}

/** Takes as long for any two proofs of one length. */
export function isProof(claimed: Uint8Array, expected: Uint8Array): boolean {
  return claimed.byteLength === expected.byteLength && timingSafeEqual(claimed, expected);
}

function proofOf(token: Token, parts: readonly (string | Uint8Array)[]): Uint8Array {
  if (token === undefined) return NO_PROOF;
  const hmac = createHmac("sha256", token);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}
