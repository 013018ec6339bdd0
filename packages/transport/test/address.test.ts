// Goal: an operator's typing mistake is named, and no address is guessed.
// Method: a table of what is read, and one of what is not, with a part of what is said.

import { expect, test } from "vitest";
import { parseListenAddress } from "../src/address.ts";
import { AddressError, formatAddress, parseAddress } from "../src/index.ts";

test.each([
  ["localhost:9876", "localhost", 9876],
  ["10.0.0.1:9876", "10.0.0.1", 9876],
  ["[::1]:9876", "::1", 9876],
  ["[fe80::1%eth0]:1", "fe80::1%eth0", 1],
  ["[::ffff:10.0.0.1]:65535", "::ffff:10.0.0.1", 65535],
  ["node-0.svc.ns.svc.cluster.local:9876", "node-0.svc.ns.svc.cluster.local", 9876],
  ["node-0.svc.ns.svc.cluster.local.:9876", "node-0.svc.ns.svc.cluster.local.", 9876],
  ["my_service:1", "my_service", 1],
  ["3com.example:80", "3com.example", 80],
])("%s", (text, host, port) => {
  expect(parseAddress(text)).toEqual({ host, port });
  expect(formatAddress(parseAddress(text))).toBe(text);
});

test.each([
  ["", "no port: expected host:port"],
  ["localhost", "no port: expected host:port"],
  [":9876", "no host"],
  ["localhost:", "no port: expected a number"],
  ["localhost:0", "the port is not an integer in [1, 65535]"],
  ["localhost:65536", "the port is not an integer"],
  ["localhost:1e3", "the port is not an integer"],
  ["localhost:-1", "the port is not an integer"],
  ["localhost: 80", "the port is not an integer"],
  ["localhost:80 ", "the port is not an integer"],
  ["::1:9876", "an IPv6 address stands in brackets"],
  ["[::1]", "no port: expected [host]:port"],
  ["[::1]9876", "no port: expected [host]:port"],
  ["[::1", "the bracket is not closed"],
  ["[localhost]:1", "not an IPv6 address"],
  ["[10.0.0.1]:1", "not an IPv6 address"],
  ["10.0.0.256:1", "not an IPv4 address"],
  ["10.0.0:1", "not an IPv4 address"],
  ["-host:1", "not a name"],
  ["ho st:1", "not a name"],
  ["http://host:1", "an IPv6 address stands in brackets"],
  ["a..b:1", "not a name"],
  [`${"a".repeat(64)}:1`, "not a name"],
  [`${"a.".repeat(130)}a:1`, "more than 253 characters"],
])("%j is refused: %s", (text, problem) => {
  expect(() => parseAddress(text)).toThrow(AddressError);
  expect(() => parseAddress(text)).toThrow(problem);
  expect(() => parseAddress(text)).toThrow(JSON.stringify(text).slice(0, 50));
});

test("port 0 is for listening", () => {
  expect(parseListenAddress("[::]:0")).toEqual({ host: "::", port: 0 });
  expect(() => parseListenAddress("localhost")).toThrow(AddressError);
});
