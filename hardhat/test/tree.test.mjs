// The positional tree in JavaScript and Solidity on the vectors that Python reads too, and every way to misuse a proof.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { keccak256 } from "ethers";
import { newChain, refusal } from "./alliance.mjs";
import { rootFromPath, treeLeaf, treeNode, treePath, treeRoot, word } from "./words.mjs";

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "proofs", "vectors", "tree.json"), "utf8"));
const itemsOf = (size) => Array.from({ length: size }, (_, i) => keccak256(word(i)));

describe("the positional tree", () => {
  let harness;
  before(async () => {
    const chain = await newChain();
    harness = await chain.deploy("VerifierHarness", [], await chain.account(9));
  });

  it("has the vectors' roots and paths in JavaScript and Solidity", async () => {
    for (const { size, root, paths } of VECTORS) {
      const items = itemsOf(size);
      assert.equal(treeRoot(items), root);
      for (const { index, path } of paths) {
        assert.deepEqual(treePath(items, index), path);
        assert.equal(rootFromPath(size, index, items[index], path), root);
        assert.equal(await harness.rootOf(size, index, items[index], path), root);
      }
    }
  });

  it("takes no path that is longer or shorter, no place outside, no last place of another size", async () => {
    for (const { size, paths } of VECTORS) {
      const items = itemsOf(size);
      const { index, path } = paths.at(-1);
      const wrong = [
        [size, index, [...path, word(1)]],
        [size, size, path],
        [size + 1, index, path],
        ...path.map((_, length) => [size, index, path.slice(0, length)]),
      ];
      for (const [ofSize, place, given] of wrong) {
        assert.throws(() => rootFromPath(ofSize, place, items[index], given), RangeError, `${ofSize} ${place}`);
      }
      assert.notEqual((await refusal(harness.rootOf(size, index, items[index], [...path, word(1)]))).name, "no refusal");
    }
    assert.throws(() => rootFromPath(0, 0, word(0), []), RangeError);
  });

  it("does not take a sibling's place, swapped siblings, or a flipped bit of a path", () => {
    for (const { size, root } of VECTORS.slice(1)) {
      const items = itemsOf(size);
      const even = 0;
      const path = treePath(items, even);
      assert.notEqual(rootFromPath(size, 1, items[even], path), root);
      const swapped = [items[1], items[0], ...items.slice(2)];
      assert.notEqual(treeRoot(swapped), root);
      for (let k = 0; k < path.length; k++) {
        const flipped = path.with(k, word(BigInt(path[k]) ^ 1n));
        assert.notEqual(rootFromPath(size, even, items[even], flipped), root);
      }
    }
  });

  it("takes no inner node for an item, at any level", () => {
    for (const { size, root } of VECTORS.slice(1)) {
      const items = itemsOf(size);
      let [value, place, last] = [treeLeaf(items[0]), 0, size - 1];
      for (const [used, sibling] of treePath(items, 0).entries()) {
        const rest = treePath(items, 0).slice(used);
        assert.notEqual(rootFromPath(last + 1, place, value, rest), root);
        value = treeNode(value, sibling);
        [place, last] = [place >> 1, last >> 1];
      }
      assert.equal(value, root);
      assert.notEqual(treeLeaf(value), root);
    }
  });

  it("promotes an odd last item instead of doubling it", () => {
    for (const { size, root } of VECTORS) {
      const items = itemsOf(size);
      assert.notEqual(treeRoot([...items, items.at(-1)]), root);
    }
  });
});
