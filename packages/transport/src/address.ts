/** Where a node listens: a name or a number, and a port. Names are looked up at each dial. */

import { isIPv4, isIPv6 } from "node:net";

export interface Address {
  /** Without brackets. */
  readonly host: string;
  /** In `[1, 65536)`; 0, for any that is free, only to listen. */
  readonly port: number;
}

/** A text that is no address; the message quotes it, and says what is wrong. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

/** RFC 1123, and underscores, which Kubernetes and Docker allow in names. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const HOST_LENGTH_MAX = 253;
const TEXT_LENGTH_SHOWN = 300;

/**
 * Reads `host:port`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
 *
 * @throws AddressError
 */
export function parseAddress(text: string): Address {
  return parse(text, 1);
}

/**
 * The same for an address to listen on: port 0 stands for any that is free.
 *
 * @throws AddressError
 */
export function parseListenAddress(text: string): Address {
  return parse(text, 0);
}

/** The text that `parseAddress` reads. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parse(text: string, portMin: number): Address {
  const fail = (problem: string): never => {
    throw new AddressError(`${JSON.stringify(text.slice(0, TEXT_LENGTH_SHOWN))}: ${problem}`);
  };
  const end = text.lastIndexOf(":");
  if (text.startsWith("[")) {
    const bracket = text.indexOf("]");
    if (bracket === -1) return fail("the bracket is not closed");
    const host = text.slice(1, bracket);
    if (!isIPv6(host)) return fail("what stands in brackets is not an IPv6 address");
    if (text[bracket + 1] !== ":") return fail("no port: expected [host]:port");
    return { host, port: parsePort(text.slice(bracket + 2), portMin, fail) };
  }
  if (end === -1) return fail("no port: expected host:port");
  const host = text.slice(0, end);
  if (host.includes(":")) return fail("an IPv6 address stands in brackets: [::1]:9876");
  if (host === "") return fail("no host: expected host:port");
  const problem = hostProblem(host);
  if (problem !== undefined) return fail(problem);
  return { host, port: parsePort(text.slice(end + 1), portMin, fail) };
}

function parsePort(text: string, min: number, fail: (problem: string) => never): number {
  if (text === "") return fail("no port: expected a number after the colon");
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : -1;
  if (port < min || port > 65_535) return fail(`the port is not an integer in [${min}, 65535]`);
  return port;
}

function hostProblem(host: string): string | undefined {
  if (isIPv4(host)) return undefined;
  // A name never ends in a number, so this was meant as an address.
  if (/^[0-9.]+$/.test(host)) return "the host is not an IPv4 address";
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (name.length > HOST_LENGTH_MAX) return `the host has more than ${HOST_LENGTH_MAX} characters`;
  const isName = name.split(".").every((label) => LABEL.test(label));
  return isName ? undefined : "the host is not a name: letters, digits, hyphens, dots";
}
