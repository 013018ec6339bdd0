/**
 * Who may talk to whom: both sides of the handshake, without a socket.
 *
 *     acceptor                           dialer
 *        │── challenge: versions, nonce ───>│
 *        │<── hello: who, to whom, proof ───│
 *        │── welcome: who, proof; or why not ──>│
 */

import { randomBytes } from "node:crypto";
import {
  commonVersion,
  decodeAnswer,
  decodeHello,
  encodeChallenge,
  encodeHello,
  encodeWelcome,
  type Hello,
  isChallenge,
  NONCE_BYTES,
  VERSIONS,
  type VersionRange,
} from "./handshake-message.ts";
import { helloProof, isProof, type Token, welcomeProof } from "./handshake-proof.ts";
import type { Lane, NodeId, PeerIdentity } from "./transport.ts";
import { type PeerError, type PeerErrorCode, TransportError } from "./transport-error.ts";

/** What a node is, to others. */
export interface Credentials {
  readonly clusterId: string;
  readonly identity: PeerIdentity;
  readonly token: Token;
  readonly versions?: VersionRange;
}

/** Answers one dialer. */
export class AcceptorHandshake {
  readonly #own: Credentials;
  readonly challenge: Buffer;

  constructor(own: Credentials) {
    this.#own = own;
    this.challenge = encodeChallenge(own.versions ?? VERSIONS, randomBytes(NONCE_BYTES));
  }

  /** @throws TransportError why the dialer is refused. */
  onHello(bytes: Uint8Array): { readonly hello: Hello; readonly answer: Buffer } {
    const own = this.#own;
    const { message: hello, covered, proof } = decodeHello(bytes);
    const versions = own.versions ?? VERSIONS;
    const version = commonVersion(versions, hello.versions);
    if (version === undefined) throw noVersion(versions, hello.versions);
    if (!isProof(proof, helloProof(own.token, this.challenge, covered)))
      throw refusal("PEER_TOKEN", "the token of the dialer is another one");
    if (hello.clusterId !== own.clusterId)
      throw refusal("PEER_CLUSTER", `this is not a node of ${quoted(hello.clusterId)}`);
    if (hello.from.nodeId === own.identity.nodeId)
      throw refusal("PEER_SELF", `this is node ${hello.from.nodeId}, as the dialer says it is`);
    if (hello.toNodeId !== own.identity.nodeId) throw wrongNode(own.identity, hello.toNodeId);
    const said = [this.challenge, bytes];
    const answer = encodeWelcome({ version, from: own.identity }, (welcome) =>
      welcomeProof(own.token, said, welcome),
    );
    return { hello, answer };
  }
}

/** Asks one acceptor. */
export class DialerHandshake {
  readonly #own: Credentials;
  readonly #toNodeId: NodeId;
  #challenge: Buffer = Buffer.alloc(0);
  #hello: Buffer = Buffer.alloc(0);

  constructor(own: Credentials, toNodeId: NodeId) {
    this.#own = own;
    this.#toNodeId = toNodeId;
  }

  /**
   * @returns the hello.
   * @throws TransportError `PEER_HELLO` if it is no node that listens there.
   */
  onChallenge(challenge: Buffer, lane: Lane, groupIds: readonly number[]): Buffer {
    if (!isChallenge(challenge))
      throw refusal("PEER_HELLO", "what listens there does not speak this protocol");
    const { clusterId, identity: from, token, versions = VERSIONS } = this.#own;
    const nonce = randomBytes(NONCE_BYTES);
    const toNodeId = this.#toNodeId;
    this.#challenge = challenge;
    // Also without a common version: so the acceptor learns of it, too, and says what it speaks.
    this.#hello = encodeHello(
      { versions, clusterId, from, toNodeId, lane, groupIds, nonce },
      (covered) => helloProof(token, challenge, covered),
    );
    return this.#hello;
  }

  /** @throws TransportError what the acceptor refused, or why it is refused. */
  onAnswer(bytes: Uint8Array): PeerIdentity {
    const { message: welcome, covered, proof } = decodeAnswer(bytes);
    const said = [this.#challenge, this.#hello];
    if (!isProof(proof, welcomeProof(this.#own.token, said, covered)))
      throw refusal("PEER_TOKEN", "the token of the acceptor is another one");
    const { min, max } = this.#own.versions ?? VERSIONS;
    if (welcome.version < min || welcome.version > max)
      throw noVersion({ min, max }, { min: welcome.version, max: welcome.version });
    if (welcome.from.nodeId !== this.#toNodeId) throw wrongNode(welcome.from, this.#toNodeId);
    return welcome.from;
  }
}

function refusal(code: PeerErrorCode, message: string): PeerError {
  return new TransportError(code, message);
}

function noVersion(own: VersionRange, other: VersionRange): PeerError {
  return refusal(
    "PEER_VERSION",
    `no common version: the refusing node speaks ${told(own)}, the other ${told(other)}`,
  );
}

function told({ min, max }: VersionRange): string {
  return `${min} to ${max}`;
}

function wrongNode(found: PeerIdentity, expected: NodeId): PeerError {
  return refusal("PEER_NODE", `node ${found.nodeId} answers where node ${expected} was expected`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
