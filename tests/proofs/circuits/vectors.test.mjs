// The prover's numbers against the vectors that Python, Solidity and the circuit are held to: hashes, packed words, scopes,
// headers, requests, witnesses; and every proof that is kept as a vector still verifies.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { toHex } from "../../../proofs/js/words.js";
import { canonicalHash, headerSigner, parseHeader } from "../../../proofs/circuits/prover/header.js";
import { INPUTS_MAX, poseidon } from "../../../proofs/circuits/prover/poseidon.js";
import { challengeOf, digestHex, parseRequest, scopeOf, signerOf } from "../../../proofs/circuits/prover/request.js";
import * as s from "../../../proofs/circuits/prover/statement.js";
import { inWords } from "../../../proofs/circuits/prover/words.js";
import { checkWitness, makeInput, policyOf, unmet } from "../../../proofs/circuits/prover/witness.js";
import { accepts, calculate, development } from "./member.mjs";

const read = (name) => JSON.parse(readFileSync(new URL(`../../../proofs/vectors/${name}.json`, import.meta.url)));
const held = read("tier");
const NAMES = {
  valid_until: "validUntil",
  key_epoch: "keyEpoch",
  since_max: "sinceMax",
  valid_on: "validOn",
  key_epoch_max: "keyEpochMax",
};
Object.assign(NAMES, { tier_mask: "tierMask", max_uses: "maxUses" });

/** Fields of a vector under our names, as BigInt, without what is made of them. */
const fields = ({ packed, ...form }) =>
  Object.fromEntries(Object.entries(form).map(([name, value]) => [NAMES[name] ?? name, BigInt(value)]));
const place = { chainId: held.chain_id, registry: held.registry };

describe("the shared vectors", () => {
  it("Poseidon", () => {
    const ours = held.poseidon.filter(({ inputs }) => inputs.length <= INPUTS_MAX);
    assert.deepEqual(
      [...new Set(ours.map(({ inputs }) => inputs.length))],
      Array.from({ length: INPUTS_MAX }, (_, i) => i + 1),
    );
    for (const { inputs, hash } of ours) assert.equal(poseidon(inputs.map(BigInt)).toString(), hash);
  });

  it("packed words", () => {
    for (const form of held.attributes) assert.equal(s.packed(s.ATTRIBUTES, fields(form)).toString(), form.packed);
    for (const form of held.policies) {
      assert.equal(s.packed(s.POLICY, fields(form)).toString(), form.packed);
      assert.deepEqual(policyOf(BigInt(form.packed)), fields(form));
    }
  });

  it("policies in words", () => {
    const said = read("tier_words");
    for (const { policy, tier_names: names, words } of said) assert.equal(inWords(fields(policy), names), words);
    assert.ok(said.length > 30);
  });

  it("who is admitted", () => {
    for (const { policy, attributes, use_index: use, unmet: reason } of held.admits) {
      const found = unmet(fields(held.policies[policy]), fields(held.attributes[attributes]), BigInt(use));
      assert.equal(found?.toUpperCase() ?? null, reason);
    }
  });

  it("names: circuit, alliance, epoch, scopes", () => {
    assert.equal(s.CIRCUIT_ID, held.circuit.circuit_id);
    assert.equal(development.manifest.circuit_id, held.circuit.circuit_id);
    assert.equal(s.allianceId(held.chain_id, held.registry), held.alliance_id);
    assert.equal(s.epochTag(held.alliance_id, held.epoch).toString(), held.epoch_tag);
    for (const { partner_id: partnerId, purpose, window_id: windowId, scope } of held.scopes) {
      assert.equal(s.scope({ ...place, partnerId, purpose, windowId }).toString(), scope);
    }
  });

  it("members and their tree", () => {
    for (const { secret, commitment, attributes, salt, leaf } of held.members) {
      const word = BigInt(held.attributes[attributes].packed);
      assert.equal(s.commitment(BigInt(secret)).toString(), commitment);
      assert.equal(s.leaf(BigInt(commitment), BigInt(held.epoch_tag), word, BigInt(salt)).toString(), leaf);
    }
    for (const { index, siblings } of held.tree.paths) {
      assert.equal(
        s.rootFromPath(BigInt(held.tree.leaves[index]), BigInt(index), siblings.map(BigInt)).toString(),
        held.tree.root,
      );
    }
  });

  it("the header, its grid and its cohorts", () => {
    const { header, signature, signer } = held.header;
    const parsed = parseHeader({ header, signature });
    assert.equal(headerSigner(parsed, place), signer);
    assert.equal(canonicalHash(held.policy_grid.form), held.policy_grid.hash);
    assert.equal(canonicalHash(held.cohorts.form), held.cohorts.hash);
  });

  it("requests", () => {
    for (const { signed, digest, signer, challenge } of held.requests) {
      const parsed = parseRequest(signed);
      assert.equal(digestHex(parsed), digest);
      assert.equal(signerOf(parsed), signer);
      assert.equal(challengeOf(parsed).toString(), challenge);
      assert.equal(scopeOf(parsed), parsed.request.scope);
    }
  });

  it("witnesses: the same inputs, and the circuit takes them", () => {
    for (const { member, request, use_index: use, inputs } of held.witnesses) {
      const { secret, salt, attributes } = held.members[member];
      const path = held.tree.paths.find(({ index }) => index === member).siblings.map(BigInt);
      const witness = { attributes: fields(held.attributes[attributes]), salt: BigInt(salt), index: BigInt(member), path };
      const parsed = parseRequest(held.requests[request].signed);
      const [epochTag, root] = [BigInt(held.epoch_tag), BigInt(held.tree.root)];
      assert.equal(checkWitness(witness, { secret: BigInt(secret), epochTag, root }), true);
      const { scope, policy } = parsed.request;
      const asked = { scope, policy, challenge: challengeOf(parsed), useIndex: BigInt(use) };
      const made = makeInput({ secret: BigInt(secret), witness, epochTag, root, ...asked });
      const texts = (form) =>
        Object.fromEntries(Object.entries(form).map(([name, value]) => [name, [value].flat().map(String)]));
      assert.deepEqual(texts(made), texts(inputs));
      assert.ok(calculate(made).length > 0);
    }
  });

  it("texts are hashed as UTF-8", () => {
    const encoder = new TextEncoder();
    for (const text of ["", "gold", "Café Lindenhof", "金卡会员", "🎫 100%", "a%41"])
      assert.deepEqual(s.utf8(text), encoder.encode(text));
    assert.match(toHex(s.utf8("é")), /^0xc3a9$/);
  });
});

describe("the kept proofs", () => {
  const kept = read("tier_proof");

  it("are of the development keys, and hold", async () => {
    assert.equal(kept.vk_hash, development.manifest.vk_hash, "run: node tests/proofs/circuits/write_vectors.mjs");
    for (const { case: name, signals, proof } of kept.proofs) assert.equal(await accepts(signals, proof), true, name);
    assert.equal(await accepts(kept.proofs[1].signals, kept.proofs[0].proof), true, "two proofs of one statement");
    assert.equal(await accepts(kept.proofs[2].signals, kept.proofs[0].proof), false, "of another statement");
  });
});
