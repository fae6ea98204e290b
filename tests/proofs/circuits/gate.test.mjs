// The gate: clean on the circuit as it stands, and each kind of loose signal planted into it is caught. The committed keys
// are those of the sources.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { CIRCUITS, ROOT, compile, ownSources } from "../../../proofs/circuits/build/compile.mjs";
import { keyHash, sha256 } from "../../../proofs/circuits/build/keys.mjs";
import { DEVELOPMENT, loaded, manifestOf } from "../../../proofs/circuits/build/manifest.mjs";
import { looseArrows } from "../../../proofs/circuits/gate/arrows.mjs";
import { objections, unboundInputs } from "../../../proofs/circuits/gate/gate.mjs";
import { undetermined } from "../../../proofs/circuits/gate/propagation.mjs";
import { parse } from "../../../proofs/circuits/gate/r1cs.mjs";
import { R } from "../../../proofs/circuits/prover/poseidon.js";

const CONSTRAINTS_MAX = 8_192;
const own = ownSources();

describe("the circuit as it stands", () => {
  const made = compile();
  const system = parse(made.r1cs);
  const pinned = manifestOf(DEVELOPMENT);

  it("is the one that the committed keys were made of", () => {
    assert.equal(sha256(made.r1cs), pinned.r1cs_sha256, "run: make circuits");
    assert.equal(sha256(made.wasm), pinned.files_sha256["circuit.wasm"]);
    assert.equal(system.count, pinned.constraints);
  });

  it("has the verifier contract of those keys", () => {
    assert.equal(sha256(readFileSync(`${ROOT}/contracts/generated/TierProofVerifier.sol`)), pinned.verifier_sha256);
    assert.equal(keyHash(loaded(DEVELOPMENT, { production: false }).verificationKey), pinned.vk_hash);
  });

  it("fits its domain, and binds each of six public inputs", () => {
    assert.ok(system.count <= CONSTRAINTS_MAX);
    assert.equal(system.publicInputs, 6);
    assert.equal(system.outputs, 0);
    assert.equal(system.prime, R);
    assert.deepEqual(unboundInputs(system), []);
  });

  it("leaves a prover no choice", () => {
    const { about, ...found } = objections();
    assert.deepEqual(found, { propagation: [], arrows: [], analysis: [], inspection: [], inputs: [] });
    assert.ok(about.constraints > system.count, "looked through without simplification");
  });
});

/** The sources with one passage of one file replaced; fails when it is not there exactly once. */
function planted(file, passage, instead) {
  assert.equal(own[file].split(passage).length, 2, `${file} holds ${passage} once`);
  return { sources: { [file]: own[file].replace(passage, instead) } };
}

const PLANTED = [
  [
    "a product assigned and not constrained",
    planted("tier_proof.circom", "measured <== points", "measured <-- points"),
    ["propagation", "arrows", "analysis"],
  ],
  [
    "a node chosen by the prover",
    planted("path.circom", "left[level] <== node", "left[level] <-- node"),
    ["propagation", "arrows", "analysis"],
  ],
  ["bits that may be anything", planted("bits.circom", "        out[i] * (out[i] - 1) === 0;\n", ""), ["propagation"]],
  ["bits of nothing", planted("bits.circom", "    in === sum;\n", ""), ["propagation"]],
  [
    "a challenge that is not bound",
    planted("tier_proof.circom", "bound <== challenge * challenge", "bound <== scope * scope"),
    ["inputs"],
  ],
];

describe("what is planted", () => {
  for (const [name, change, wanted] of PLANTED) {
    it(`${name}: ${wanted.join(" and ")}`, () => {
      const found = objections(change);
      for (const opinion of wanted) assert.notDeepEqual(found[opinion], [], opinion);
    });
  }

  it("254 bits, which have two ways to be: the propagation", () => {
    const wide = { "wide.circom": 'pragma circom 2.1.6;\ninclude "bits.circom";\ncomponent main = Bits(254);\n' };
    const { sources } = planted("bits.circom", "assert(n < 253)", "assert(n < 300)");
    const system = parse(compile({ main: "wide", sources: { ...wide, ...sources }, level: "O0", wasm: false }).r1cs);
    assert.equal(undetermined(system).length, 254);
    assert.throws(() => compile({ main: "wide", sources: wide, level: "O0", wasm: false }), /refuses wide/);
  });

  it("an arrow in a comment is none", () => {
    assert.deepEqual(looseArrows({ "x.circom": "// a <-- b\n/* c\n --> d */\ne <== f;" }), []);
    assert.equal(looseArrows({ "x.circom": "a <-- b; // c\nd --> e;" }).length, 1);
  });
});

describe("a set of keys", () => {
  it("of development is refused in production", () => {
    assert.throws(() => loaded(DEVELOPMENT, { production: true }), /anybody forges proofs/);
  });

  it("is held to the hashes of its manifest", () => {
    const folder = mkdtempSync(`${tmpdir()}/tongdui-keys-`);
    const refused = (change, words) => {
      cpSync(DEVELOPMENT, folder, { recursive: true });
      change(JSON.parse(readFileSync(`${folder}/circuit.json`)), (name, text) => writeFileSync(`${folder}/${name}`, text));
      assert.throws(() => loaded(folder, { production: true }), words);
      assert.throws(() => loaded(folder, { production: false }), words);
    };
    try {
      refused(
        (manifest, write) => write("circuit.json", JSON.stringify({ ...manifest, setup: "trust me" })),
        /setup is "trust me"/,
      );
      refused(
        (manifest, write) => write("circuit.json", JSON.stringify({ ...manifest, setup: "ceremony", vk_hash: "0x00" })),
        /another hash/,
      );
      refused((manifest, write) => {
        write("verification_key.json", "{}");
        write("circuit.json", JSON.stringify({ ...manifest, setup: "ceremony", vk_hash: "0x00" }));
      }, /not the file of its manifest/);
      cpSync(DEVELOPMENT, folder, { recursive: true });
      const manifest = manifestOf(folder);
      writeFileSync(`${folder}/circuit.json`, JSON.stringify({ ...manifest, setup: "ceremony" }));
      assert.throws(() => loaded(folder, { production: true }), /anybody forges proofs/, "whatever it calls itself");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("lies where its README says what it is", () => {
    assert.match(readFileSync(`${CIRCUITS}/dev/README.md`, "utf8"), /anybody can forge/i);
  });
});
