// Each lint rule fires on a source made to break it, and is silent on a good one.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RULES, objections, ownWarnings } from "../lint.mjs";

const GOOD = "// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n\ncontract Good {}\n";
const BREAKS = {
  "abi.encodePacked": "bytes32 h = keccak256(abi.encodePacked(a, b));",
  "floating pragma": null,
  "no licence line": null,
  "assembly without a decision record": "assembly { pop(0) }",
  "proxy or delegatecall": "(bool done, ) = other.delegatecall(data);",
  "tx.origin": "if (tx.origin == owner) return;",
  "revert with a string": 'require(a > b, "too small");',
  unfinished: `// ${"TO" + "DO"}: the rest`,
  "line too long": `// ${"x".repeat(140)}`,
  "file too long": "\n".repeat(401),
};

describe("lint", () => {
  it("has a breaking source for every rule", () => assert.deepEqual(Object.keys(BREAKS), Object.keys(RULES)));

  it("is silent on a good source", () => assert.deepEqual(objections(GOOD), []));

  for (const [rule, line] of Object.entries(BREAKS)) {
    it(`objects to: ${rule}`, () => {
      const source = line === null ? GOOD.replace(rule === "floating pragma" ? "0.8.37" : "// SPDX", "^0") : GOOD + line;
      assert.ok(objections(source).some((objection) => objection.rule === rule));
    });
  }

  it("lets an EIP-712 type string be long", () => {
    assert.deepEqual(objections(`${GOOD}        "Type(${"uint64 someLongName,".repeat(9)}bytes32 salt)"\n`), []);
  });

  it("tells our warnings from a dependency's", () => {
    const theirs = "Warning: old word\n   --> ./node_modules/x/A.sol:1:1:\n";
    const ours = "Warning: unused\n   --> ./contracts/A.sol:1:1:\n";
    assert.deepEqual(ownWarnings(`${theirs}\n${ours}`).length, 1);
    assert.deepEqual(ownWarnings(theirs), []);
    assert.deepEqual(ownWarnings(ours.replace("contracts/", "contracts/generated/")), []);
  });
});
