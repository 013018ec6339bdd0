/**
 * Rows in the order of their keys, as a tree that can be held fast as it is.
 *
 *     branch   keys     [      k        r      ]     the first key of each child but the first
 *              children [  |        |        |  ]
 *     leaf     keys   [ k | m | p ]   cells [ . | . | . ] <── by key: a map, for whoever reads
 *
 * `freeze` copies nothing: from then on what is older than that, node or cell, is copied before it
 * changes, once. So whoever walks over what was frozen sees none of what comes after it. And a row
 * that has been changed since then is changed again without a look at the tree.
 */

import { assert } from "@quorumlog/std";

/** Rows of a leaf, children of a branch: that much is moved by one change, and copied at most. */
const WIDTH_MAX = 64;

interface Cell {
  /** It may be changed as long as that is the tree's. */
  readonly version: number;
  value: Uint8Array;
}

interface Leaf {
  readonly kind: "leaf";
  /** As that of a cell. */
  readonly version: number;
  readonly keys: string[];
  readonly cells: Cell[];
}

interface Branch {
  readonly kind: "branch";
  readonly version: number;
  readonly keys: string[];
  readonly children: Node[];
}

type Node = Leaf | Branch;

/** A node grew too wide: the upper part of it is apart now. */
interface Split {
  readonly key: string;
  readonly right: Node;
}

export type Row = readonly [key: string, value: Uint8Array];

export class RowTree {
  readonly #cells = new Map<string, Cell>();
  #version = 0;
  #root: Node = { kind: "leaf", version: 0, keys: [], cells: [] };

  get size(): number {
    return this.#cells.size;
  }

  get(key: string): Uint8Array | undefined {
    return this.#cells.get(key)?.value;
  }

  set(key: string, value: Uint8Array): void {
    const version = this.#version;
    const known = this.#cells.get(key);
    if (known?.version === version) {
      known.value = value;
      return;
    }
    const cell = { version, value };
    this.#cells.set(key, cell);
    this.#root = this.#own(this.#root);
    const split = this.#put(this.#root, key, cell);
    if (split === undefined) return;
    const children = [this.#root, split.right];
    this.#root = { kind: "branch", version, keys: [split.key], children };
  }

  delete(key: string): boolean {
    if (!this.#cells.delete(key)) return false;
    this.#root = this.#own(this.#root);
    this.#take(this.#root, key);
    while (this.#root.kind === "branch" && this.#root.children.length === 1)
      this.#root = this.#root.children[0] as Node;
    return true;
  }

  /** The rows as they are now, in order, in groups of at most 64: whatever is changed meanwhile. */
  freeze(): Iterable<readonly Row[]> {
    this.#version += 1;
    return this.size === 0 ? [] : leaves(this.#root);
  }

  /** @param node - Owned. */
  #put(node: Node, key: string, cell: Cell): Split | undefined {
    if (node.kind === "leaf") {
      const at = placeOf(node.keys, key);
      if (node.keys[at] === key) {
        node.cells[at] = cell;
        return undefined;
      }
      node.keys.splice(at, 0, key);
      node.cells.splice(at, 0, cell);
      return node.keys.length > WIDTH_MAX ? splitLeaf(node, at) : undefined;
    }
    const at = childOf(node, key);
    const split = this.#put(this.#ownChild(node, at), key, cell);
    if (split === undefined) return undefined;
    node.keys.splice(at, 0, split.key);
    node.children.splice(at + 1, 0, split.right);
    return node.children.length > WIDTH_MAX ? splitBranch(node, at + 1) : undefined;
  }

  /**
   * Takes out what is there. Nodes that are left narrow stay so, which costs no more than they did;
   * one that is left with nothing goes.
   *
   * @param node - Owned.
   */
  #take(node: Node, key: string): void {
    if (node.kind === "leaf") {
      const at = placeOf(node.keys, key);
      node.keys.splice(at, 1);
      node.cells.splice(at, 1);
      return;
    }
    const at = childOf(node, key);
    const child = this.#ownChild(node, at);
    this.#take(child, key);
    const isEmpty = (child.kind === "leaf" ? child.keys : child.children).length === 0;
    if (!isEmpty) return;
    node.children.splice(at, 1);
    node.keys.splice(Math.max(0, at - 1), 1);
  }

  #ownChild(branch: Branch, at: number): Node {
    const child = this.#own(branch.children[at] as Node);
    branch.children[at] = child;
    return child;
  }

  /** The node, or a copy of it if it is frozen. */
  #own(node: Node): Node {
    const version = this.#version;
    if (node.version === version) return node;
    const keys = node.keys.slice();
    return node.kind === "leaf"
      ? { kind: "leaf", version, keys, cells: node.cells.slice() }
      : { kind: "branch", version, keys, children: node.children.slice() };
  }
}

function* leaves(node: Node): Generator<readonly Row[]> {
  if (node.kind === "branch") for (const child of node.children) yield* leaves(child);
  else {
    assert(node.keys.length > 0, "a leaf that is left with nothing goes");
    yield node.keys.map((key, i): Row => [key, (node.cells[i] as Cell).value]);
  }
}

/** Where a key is, or would be, among others. Rows that come in order are found at once. */
function placeOf(keys: readonly string[], key: string): number {
  const last = keys.at(-1);
  if (last === undefined || last < key) return keys.length;
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function childOf({ keys }: Branch, key: string): number {
  const at = placeOf(keys, key);
  return keys[at] === key ? at + 1 : at;
}

/** Who appends in order, as a restore does, leaves full nodes behind; others half full ones. */
function splitAt(length: number, changed: number): number {
  return changed === length - 1 ? length - 1 : length >>> 1;
}

function splitLeaf(leaf: Leaf, changed: number): Split {
  const at = splitAt(leaf.keys.length, changed);
  const [keys, cells] = [leaf.keys.splice(at), leaf.cells.splice(at)];
  return { key: keys[0] as string, right: { kind: "leaf", version: leaf.version, keys, cells } };
}

function splitBranch(branch: Branch, changed: number): Split {
  const at = splitAt(branch.children.length, changed);
  const children = branch.children.splice(at);
  const [key, ...keys] = branch.keys.splice(at - 1);
  const { version } = branch;
  return { key: key as string, right: { kind: "branch", version, keys, children } };
}
