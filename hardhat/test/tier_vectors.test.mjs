// The numbers that these tests make of requests and headers are those of proofs/vectors/tier.json, which Python, the circuit and
// wallets read too; tiers.test.mjs and tier_epochs.test.mjs hold the contract to the same numbers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TypedDataEncoder, verifyTypedData } from "ethers";
import { CIRCUIT_ID, EPOCH_TYPES, REQUEST_TYPES, allianceIdOf, challengeOf, packed, scopeOf } from "./tiers.mjs";

const VECTORS = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "proofs", "vectors", "tier.json"), "utf8"));
const camel = (form) => Object.fromEntries(Object.entries(form).map(([name, value]) => [name.replace(/_(\w)/g, (_, c) => c.toUpperCase()), value]));
const domainOf = (chainId, verifyingContract) => ({ name: "Tongdui Tier", version: "1", chainId, verifyingContract });

describe("vectors of tier proofs", () => {
  const domain = domainOf(VECTORS.chain_id, VECTORS.registry);

  it("have these requests, digests, signers, challenges and scopes", () => {
    assert.ok(VECTORS.requests.length > 1);
    for (const { signed, ...told } of VECTORS.requests) {
      const request = camel(signed.request);
      const its = domainOf(signed.chain_id, signed.registry);
      const digest = TypedDataEncoder.hash(its, REQUEST_TYPES, request);
      assert.equal(TypedDataEncoder.hashStruct("ProofRequest", REQUEST_TYPES, request), told.struct_hash);
      assert.equal(digest, told.digest);
      assert.equal(challengeOf(digest), BigInt(told.challenge));
      assert.equal(verifyTypedData(its, REQUEST_TYPES, request, signed.signature).toLowerCase(), told.signer);
    }
    for (const { scope, ...named } of VECTORS.scopes) {
      assert.equal(scopeOf(VECTORS.chain_id, VECTORS.registry, camel(named)), BigInt(scope));
    }
  });

  it("have this header, alliance, circuit and these packed policies", () => {
    const { header, ...told } = VECTORS.header;
    assert.equal(TypedDataEncoder.hashStruct("TierEpoch", EPOCH_TYPES, camel(header)), told.struct_hash);
    assert.equal(TypedDataEncoder.hash(domain, EPOCH_TYPES, camel(header)), told.digest);
    assert.equal(verifyTypedData(domain, EPOCH_TYPES, camel(header), told.signature).toLowerCase(), told.signer);
    assert.equal(allianceIdOf(VECTORS.chain_id, VECTORS.registry), BigInt(VECTORS.alliance_id));
    assert.equal(VECTORS.circuit.circuit_id, CIRCUIT_ID);
    for (const { packed: word, ...fields } of VECTORS.policies) {
      const policy = Object.fromEntries(Object.entries(camel(fields)).map(([name, value]) => [name, BigInt(value)]));
      assert.equal(packed(policy), BigInt(word));
    }
  });
});
