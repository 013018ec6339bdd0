// Goal: where the metadata group is, is noted once, however much a NameServer tells of it.
// Method: the table by itself.

import { NoteMetadataNodesCommand } from "@quorumlog/protocol/messages";
import { MemoryTables } from "@quorumlog/tables";
import { expect, test } from "vitest";
import { metadataNodesCodec } from "../src/state/message-codec.ts";
import { MetadataNodes } from "../src/state/metadata-nodes.ts";

function nodesOf(): MetadataNodes {
  const tables = new MemoryTables(["metadataNodes"]);
  return new MetadataNodes(tables.table("metadataNodes", metadataNodesCodec));
}

function note(nodes: MetadataNodes, addresses: string[]): void {
  // As it comes out of the log.
  const bytes = NoteMetadataNodesCommand.encode({ addresses }).finish();
  nodes.note(NoteMetadataNodesCommand.decode(bytes));
}

test.each([
  ["more than there is room for", Array.from({ length: 40 }, (_, i) => `host-${i}:7200`)],
  ["none that is one", ["", `${"x".repeat(600)}:7200`]],
])("of %s nothing is lacking once they were noted", (_, addresses) => {
  const nodes = nodesOf();
  note(nodes, addresses);

  expect(nodes.lacks(addresses)).toBe(false);
  expect(nodes.addresses.length).toBeLessThanOrEqual(16);
});

test("one that is new is lacking, and those that were noted last come first", () => {
  const nodes = nodesOf();
  note(nodes, ["a:1", "b:1"]);
  expect(nodes.lacks(["b:1", "a:1"])).toBe(false);
  expect(nodes.lacks(["b:1", "c:1"])).toBe(true);

  note(nodes, ["c:1", "b:1"]);
  expect(nodes.addresses).toEqual(["c:1", "b:1", "a:1"]);
});
