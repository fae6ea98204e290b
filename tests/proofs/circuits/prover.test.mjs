// The wallet's prover: hashes against known values and the shared vectors, the check of a delivered witness, proofs that
// differ each time, and a mini-program's platform: no WebAssembly but from files, no network, a pool of random bytes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { calculator } from "../../../proofs/circuits/prover/calculator.js";
import { fromFiles, pool } from "../../../proofs/circuits/prover/files_only.js";
import { R, poseidon } from "../../../proofs/circuits/prover/poseidon.js";
import { prove } from "../../../proofs/circuits/prover/prove.js";
import {
  ATTRIBUTES,
  CIRCUIT_ID,
  POLICY,
  commitment,
  makeCommitment,
  packed,
  systemRandom,
  unpacked,
} from "../../../proofs/circuits/prover/statement.js";
import { checkWitness, parseWitness, policyOf, unmet } from "../../../proofs/circuits/prover/witness.js";
import { SECRET, STRANGER, TAG, TERMS, WHO, accepts, development, inputs, signalsOf } from "./member.mjs";

describe("Poseidon", () => {
  // The values that implementations of circom's Poseidon publish.
  const KNOWN = [
    [[1n, 2n], 7853200120776062878684798364095072458815029376092732009249414926327459813530n],
    [[1n, 2n, 3n], 6542985608222806190361240322586112750744169038454362455181422643027100751666n],
    [[1n, 2n, 3n, 4n], 18821383157269793795438455681495246036402687001665670618754263018637548127333n],
    [[1n, 2n, 3n, 4n, 5n], 6183221330272524995739186171720101788151706631170188140075976616310159254464n],
  ];
  for (const [input, hash] of KNOWN) it(`of ${input.length} inputs`, () => assert.equal(poseidon(input), hash));

  it("takes field elements alone", () => {
    for (const input of [[], [R], [-1n], [1], ["1"], Array(7).fill(0n)]) assert.throws(() => poseidon(input), RangeError);
  });
});

describe("packed words", () => {
  it("come apart again, at both ends of each field", () => {
    for (const fields of [ATTRIBUTES, POLICY]) {
      for (const end of [0n, 1n]) {
        const values = Object.fromEntries(
          Object.entries(fields).map(([name, bits]) => [name, end && 2n ** BigInt(bits) - 1n]),
        );
        assert.deepEqual(unpacked(fields, packed(fields, values)), values);
      }
    }
    assert.throws(() => packed(ATTRIBUTES, { ...WHO, tier: 16n }), RangeError);
    assert.throws(() => packed(ATTRIBUTES, { ...WHO, tier: 3 }), RangeError);
    assert.throws(() => unpacked(POLICY, 2n ** 249n), RangeError);
  });

  it("say why a policy does not admit somebody, as the circuit refuses", () => {
    const why = (is, terms, use = 0n) => unmet({ ...TERMS, ...terms }, { ...WHO, ...is }, use);
    assert.equal(why({}, {}), null);
    const reasons = [
      ["tier", { tier: 0n }, {}],
      ["low", { points: 9_999n }, {}],
      ["high", { points: 20_001n }, {}],
    ];
    reasons.push(
      ["since", { since: 1_750_000_001n }, {}],
      ["valid", { validUntil: 0n }, {}],
      ["key", { keyEpoch: 10n }, {}],
    );
    reasons.push(["high", {}, { metric: 1n }], ["use", {}, { maxUses: 0n }]);
    for (const [reason, is, terms] of reasons) assert.equal(why(is, terms), reason);
    assert.equal(why({}, {}, 2n), "use");
    assert.deepEqual(policyOf(packed(POLICY, TERMS)), TERMS);
  });
});

describe("a secret", () => {
  it("is drawn anew and never weakly", () => {
    const [one, other] = [makeCommitment(), makeCommitment()];
    assert.notEqual(one.secret, other.secret);
    assert.equal(BigInt(one.commitment), commitment(BigInt(one.secret)));
    assert.ok(BigInt(one.secret) < 2n ** 248n);
    assert.throws(() => makeCommitment((count) => new Uint8Array(count)), /over and over/);
    assert.throws(() => makeCommitment(() => new Uint8Array(4)), /31 random bytes/);
  });

  it("is not drawn where there is no source of randomness", (t) => {
    const { crypto } = globalThis;
    t.after(() => Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true }));
    Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
    assert.throws(() => systemRandom(31), /no source of randomness/);
  });

  it("comes out of a pool once", () => {
    const source = pool(Uint8Array.from({ length: 40 }, (_, i) => i));
    assert.deepEqual([...source.getRandomValues(new Uint8Array(3))], [0, 1, 2]);
    assert.deepEqual([...source.getRandomValues(new Uint8Array(2))], [3, 4]);
    assert.throws(() => source.getRandomValues(new Uint8Array(36)), /empty/);
  });
});

const text = (value) => (typeof value === "bigint" ? value.toString() : value);
function delivered() {
  const { salt, siblings } = inputs();
  const attributes = {
    points: "12000",
    spend: "480000",
    since: 1700000000,
    valid_until: 1800000000,
    key_epoch: 7,
    tier: 3,
    programme: 1,
  };
  return { attributes, salt: text(salt), index: 5, path: siblings.map(text) };
}

describe("a delivered witness", () => {
  const asked = { secret: SECRET, epochTag: TAG, root: inputs().root };

  it("leads to the root, and to no other", () => {
    const witness = parseWitness(delivered());
    assert.equal(checkWitness(witness, asked), true);
    assert.equal(checkWitness(witness, { ...asked, root: 1n }), false);
    assert.equal(checkWitness(witness, { ...asked, secret: STRANGER }), false);
    assert.equal(checkWitness(witness, { ...asked, epochTag: TAG + 1n }), false);
    assert.equal(checkWitness({ ...witness, index: 4n }, asked), false);
    assert.equal(checkWitness({ ...witness, salt: 1n }, asked), false);
    assert.equal(checkWitness({ ...witness, attributes: { ...WHO, points: 1n } }, asked), false);
  });

  it("is read in one form only", () => {
    const odd = [
      ["witness", null],
      ["witness.bonus", { ...delivered(), bonus: 1 }],
      ["witness.salt", { ...delivered(), salt: 42 }],
      ["witness.salt", { ...delivered(), salt: "042" }],
      ["witness.salt", { ...delivered(), salt: R.toString() }],
      ["witness.index", { ...delivered(), index: 2 ** 24 }],
      ["witness.index", { ...delivered(), index: "5" }],
      ["witness.path", { ...delivered(), path: delivered().path.slice(1) }],
      ["witness.path[3]", { ...delivered(), path: delivered().path.with(3, "0x1") }],
      ["witness.attributes.tier", { ...delivered(), attributes: { ...delivered().attributes, tier: 16 } }],
      ["witness.attributes.points", { ...delivered(), attributes: { ...delivered().attributes, points: 1 } }],
      ["witness.attributes.since", { ...delivered(), attributes: { ...delivered().attributes, since: 1.5 } }],
    ];
    for (const [field, form] of odd) assert.throws(() => parseWitness(form), { field });
  });
});

describe("a proof", () => {
  const keys = { wasm: development.wasm, zkey: development.zkey };

  it("is accepted, and another one each time", async () => {
    const responses = [await prove(inputs(), keys), await prove(inputs(), keys)];
    for (const { circuit_id: circuit, nullifier, proof } of responses) {
      assert.equal(circuit, CIRCUIT_ID);
      assert.equal(nullifier, inputs().nullifier.toString());
      assert.deepEqual([proof.pi_a.length, proof.pi_b.length, proof.pi_c.length], [2, 2, 2]);
      assert.equal(await accepts(signalsOf(inputs()), proof), true);
    }
    for (const part of ["pi_a", "pi_b", "pi_c"]) assert.notDeepEqual(responses[0].proof[part], responses[1].proof[part]);
  });

  it("is not made where the statement is false", async () => {
    await assert.rejects(prove(inputs({ terms: { lo: 12_001n } }), keys), { reason: "constraint-fails" });
  });

  it("is not made without randomness", async (t) => {
    const { crypto } = globalThis;
    t.after(() => Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true }));
    Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
    await assert.rejects(prove(inputs(), keys), /no source of randomness/);
  });

  it("holds no secret in its words", async () => {
    const said = JSON.stringify(await prove(inputs(), keys));
    for (const secret of [SECRET, 42n, WHO.points, WHO.spend]) assert.ok(!said.includes(`"${secret}"`));
  });
});

describe("a platform that loads WebAssembly from files alone", () => {
  const platform = (files) => ({
    instantiate: async (path, imports) => {
      if (typeof path !== "string" || !files[path]) throw new Error(`no file of the package: ${path}`);
      return WebAssembly.instantiate(files[path], imports);
    },
  });

  it("makes the same witness", async () => {
    const instantiate = fromFiles(platform({ "/tier/circuit.wasm": development.wasm }));
    const calculate = await calculator("/tier/circuit.wasm", instantiate);
    const usual = await calculator(development.wasm);
    assert.deepEqual(calculate(inputs()), usual(inputs()));
    await assert.rejects(calculator(development.wasm, instantiate), /files of its package alone/);
    await assert.rejects(calculator("/other.wasm", instantiate), /no file of the package/);
  });
});
