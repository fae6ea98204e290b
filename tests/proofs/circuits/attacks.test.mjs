// Cheating members: each line is something that a member may not do, and the part of the statement that refuses it. A
// witness that the calculator will not make is then forced into its place, and neither constraints nor verifier take it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compile } from "../../../proofs/circuits/build/compile.mjs";
import { namesOf } from "../../../proofs/circuits/gate/gate.mjs";
import { parse } from "../../../proofs/circuits/gate/r1cs.mjs";
import { R, poseidon } from "../../../proofs/circuits/prover/poseidon.js";
import { DEPTH, nullifier } from "../../../proofs/circuits/prover/statement.js";
import {
  SECRET,
  STRANGER,
  TERMS,
  WHO,
  accepts,
  calculate,
  inputs,
  proofOver,
  refusal,
  signalsOf,
  treeOver,
} from "./member.mjs";

const ADMITTED = [
  ["the member as they are", {}],
  ["the lower bound itself", { terms: { lo: WHO.points } }],
  ["the upper bound itself", { terms: { hi: WHO.points } }],
  ["spend instead of points", { terms: { metric: 1n, lo: WHO.spend, hi: WHO.spend } }],
  ["member since the last day", { terms: { sinceMax: WHO.since } }],
  ["valid to the last second", { terms: { validOn: WHO.validUntil } }],
  ["a key as new as it may be", { terms: { keyEpochMax: WHO.keyEpoch } }],
  ["the last use", { useIndex: TERMS.maxUses - 1n }],
  ["the 255th use of 255", { terms: { maxUses: 255n }, useIndex: 254n }],
  ["one tier of all", { is: { tier: 15n }, terms: { tierMask: 0xffffn } }],
  ["the lowest tier", { is: { tier: 0n }, terms: { tierMask: 1n } }],
  ["as many points as there can be", { is: { points: 2n ** 64n - 1n }, terms: { hi: 2n ** 64n - 1n } }],
  ["nothing at all", { is: { points: 0n, spend: 0n, since: 0n, keyEpoch: 0n }, terms: { lo: 0n } }],
];

const REFUSED = [
  ["a leaf that is not in the tree", { input: { points: WHO.points + 1n } }, "path"],
  ["another member's leaf", { input: { secret: STRANGER, nullifier: nullifier(STRANGER, 1111n, 0n) } }, "path"],
  ["another salt", { input: { salt: 43n } }, "path"],
  ["another epoch's root", { input: { epochTag: 1n } }, "path"],
  ["another root", { input: { root: 1n } }, "path"],
  ["another's nullifier", { input: { nullifier: nullifier(STRANGER, 1111n, 0n) } }, "once"],
  ["a nullifier of another scope", { input: { nullifier: nullifier(SECRET, 1112n, 0n) } }, "once"],
  ["a nullifier of another use", { input: { nullifier: nullifier(SECRET, 1111n, 1n) } }, "once"],
  ["a tier that the mask leaves out", { terms: { tierMask: 0xffffn - 0b1000n } }, "admitted"],
  ["no tier at all", { terms: { tierMask: 0n } }, "admitted"],
  ["one point too few", { terms: { lo: WHO.points + 1n } }, "notBelow"],
  ["one point too many", { terms: { hi: WHO.points - 1n } }, "notAbove"],
  ["too little spent", { terms: { metric: 1n, lo: WHO.spend + 1n, hi: 2n ** 64n - 1n } }, "notBelow"],
  ["too much spent", { terms: { metric: 1n, lo: 0n, hi: WHO.spend - 1n } }, "notAbove"],
  ["points where spend is asked for", { terms: { metric: 1n } }, "notAbove"],
  ["member since a second too late", { terms: { sinceMax: WHO.since - 1n } }, "longEnough"],
  ["valid a second too short", { terms: { validOn: WHO.validUntil + 1n } }, "stillValid"],
  ["a key that is too new", { terms: { keyEpochMax: WHO.keyEpoch - 1n } }, "keyOldEnough"],
  ["bounds that cross", { terms: { lo: 20_000n, hi: 10_000n } }, "notBelow"],
  ["points of 2^64", { is: { points: 2n ** 64n } }, "attributes"],
  ["points of r - 1", { is: { points: R - 1n } }, "attributes"],
  ["spend of 2^64", { is: { spend: 2n ** 64n } }, "attributes"],
  ["a date of 2^32", { is: { since: 2n ** 32n } }, "attributes"],
  ["tier 16", { is: { tier: 16n } }, "attributes"],
  ["tier -1", { is: { tier: R - 1n } }, "attributes"],
  ["programme 256", { is: { programme: 256n } }, "attributes"],
  ["use -1", { useIndex: -1n }, "use"],
  ["use 256", { useIndex: 256n }, "use"],
  ["one use too many", { useIndex: TERMS.maxUses }, "usesLeft"],
  ["a use where none is allowed", { terms: { maxUses: 0n } }, "usesLeft"],
  ["a policy with bit 249", { input: { policy: inputs().policy + 2n ** 249n } }, "bounds"],
  ["a policy of r - 1, every comparison an alias", { input: { policy: R - 1n } }, "bounds"],
  ["a policy of r / 2", { input: { policy: R / 2n } }, "bounds"],
  ["a step of the path that is neither left nor right", { input: { positions: inputs().positions.with(0, 2n) } }, "path"],
  ["a step of -1", { input: { positions: inputs().positions.with(3, R - 1n) } }, "path"],
  ["an inner node as a leaf, with the path above it", { input: { siblings: inputs().siblings.slice(1) } }, "signal-length"],
  ["the same path made as long as it has to be", { input: { siblings: [...inputs().siblings.slice(1), 0n] } }, "path"],
  ["a signal that is left out", { input: { secret: [] } }, "signal-length"],
  ["a signal that nobody knows", { input: { bonus: 1n } }, "signal-unknown"],
];

describe("what the calculator makes a witness of", () => {
  for (const [name, change] of ADMITTED) {
    it(name, () => assert.ok(calculate(inputs(change)).length > 0));
  }
});

describe("what it makes no witness of", () => {
  for (const [name, change, wanted] of REFUSED) {
    it(`${name}: ${wanted}`, () =>
      assert.throws(
        () => calculate(inputs(change)),
        (error) => refusal(error) === wanted,
      ));
  }
});

const HEADER_WORDS = 11 + 8;
const compiled = compile({ wasm: false });
const system = parse(compiled.r1cs);
const wires = new Map([...namesOf(compiled.sym)].map(([wire, name]) => [name, wire]));

/** A copy of a witness with some signals overwritten, by name. */
function forced(witness, changes) {
  const copy = witness.slice();
  const view = new DataView(copy.buffer);
  for (const [name, value] of Object.entries(changes)) {
    assert.ok(wires.get(name) > 0, `${name} is a signal that the constraints speak of`);
    for (let word = 0; word < 4; word++) {
      view.setBigUint64(
        4 * HEADER_WORDS + 32 * wires.get(name) + 8 * word,
        BigInt.asUintN(64, value >> BigInt(64 * word)),
        true,
      );
    }
  }
  return copy;
}

/** The sums A, B and C of each constraint under a witness. */
function sumsOf(witness) {
  const view = new DataView(witness.buffer);
  const word = (wire, i) => view.getBigUint64(4 * HEADER_WORDS + 32 * wire + 8 * i, true);
  const values = Array.from({ length: system.wires }, (_, wire) =>
    [3, 2, 1, 0].reduce((sum, i) => (sum << 64n) | word(wire, i), 0n),
  );
  const sum = (terms) => [...terms].reduce((total, [wire, factor]) => total + factor * values[wire], 0n) % R;
  return system.constraints.map((constraint) => constraint.map(sum));
}

const fails = ([a, b, c]) => (a * b - c) % R !== 0n;

/** How many constraints a witness violates. */
const violated = (witness) => sumsOf(witness).filter(fails).length;

/** The wires, of all but the constant, that can be changed alone while every constraint still holds. */
function freeAlone(witness) {
  const sums = sumsOf(witness);
  const held = new Set();
  system.constraints.forEach((constraint, at) => {
    for (const wire of new Set(constraint.flatMap((terms) => [...terms.keys()]))) {
      if (!held.has(wire) && fails(constraint.map((terms, i) => sums[at][i] + (terms.get(wire) ?? 0n)))) held.add(wire);
    }
  });
  return Array.from({ length: system.wires - 1 }, (_, i) => i + 1).filter((wire) => !held.has(wire));
}

describe("a witness with values forced into it", () => {
  const honest = calculate(inputs());
  const signals = signalsOf(inputs());
  const node = poseidon([treeOver(0n).path[1], 7n]);
  const cheats = [
    ["a higher tier", { "main.tier": 4n }],
    ["more points", { "main.points": WHO.points + 1n }],
    ["an inner node in the leaf's place", { "main.path.left[1]": node }],
    ["a step that is neither left nor right", { "main.positions[2]": 2n }],
    ["another secret", { "main.secret": STRANGER }],
    ["another use", { "main.useIndex": 1n }],
    ["a lower bound for oneself", { "main.policy": inputs({ terms: { lo: 0n } }).policy }],
    ["another's challenge", { "main.challenge": 2223n }],
  ];

  it("is right without them", () => assert.equal(violated(honest), 0));
  it("is right in no value by itself: each one changed alone violates a constraint", () => {
    const names = namesOf(compiled.sym);
    assert.deepEqual(
      freeAlone(honest).map((wire) => names.get(wire)),
      [],
    );
    assert.ok(system.wires > 7_000);
  });
  for (const [name, change] of cheats) {
    it(`${name}: violates constraints`, () => assert.ok(violated(forced(honest, change)) > 0));
  }

  it("gives proofs that are refused", async () => {
    const { proof } = await proofOver(honest);
    assert.equal(await accepts(signals, proof), true, "the honest one is accepted");
    for (const index of signals.keys()) {
      const other = signals.with(index, ((BigInt(signals[index]) + 1n) % R).toString());
      assert.equal(await accepts(other, proof), false, `signal ${index} changed`);
    }
    for (const [name, change] of cheats.slice(0, 2)) {
      const cheated = await proofOver(forced(honest, change));
      assert.equal(await accepts(signals, cheated.proof), false, name);
      assert.equal(await accepts(cheated.signals, cheated.proof), false, name);
    }
  });

  it("has a path of one length", () => assert.equal(inputs().siblings.length, DEPTH));
});
