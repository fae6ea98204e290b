// The registry over the verifier that was exported with the development keys: real proofs are taken, and what is no proof of
// this statement is not, however it was come by.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { keccak256 } from "ethers";
import { DAY, refusal } from "./alliance.mjs";
import { CEREMONY, R, newRequest, newTiers, packed, publish, scopeOf } from "./tiers.mjs";
import { VK_HASH, proven, rootOf } from "./tier_member.mjs";
import { concat, word } from "./words.mjs";

const P = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
const SOURCE = readFileSync(join(import.meta.dirname, "..", "..", "contracts", "generated", "TierProofVerifier.sol"), "utf8");
const said = async (promise) => (await refusal(promise)).name;

describe("a proof of tier and its pairing", () => {
  let tiers, registry, header, good;
  before(async () => {
    tiers = await newTiers({ verifier: "TierProofVerifier", vkHash: VK_HASH });
    ({ registry } = tiers);
    header = await publish(tiers, { root: rootOf(tiers, 1), notAfter: (await tiers.now()) + 30 * DAY });
    good = await proven(tiers, await newRequest(tiers, 1));
  });
  const check = (call) => said(registry.checkTier(...call));
  const withProof = (change) => [...good.slice(0, 3), change(good[3].map(BigInt))];

  it("is checked with the key whose hash is registered", () => {
    const constants = [...SOURCE.matchAll(/uint256 constant (?:alpha|beta|gamma|delta|IC)\w+\s*=\s*(\d+);/g)];
    assert.equal(constants.length, 2 + 3 * 4 + 7 * 2);
    assert.equal(keccak256(concat(...constants.map(([, value]) => word(value)))), VK_HASH);
  });

  it("holds, is taken once, and uses its nullifier up for every later request of the scope", async () => {
    assert.equal(await check(good), "no refusal");
    await (await registry.verifyTier(...good)).wait();
    assert.equal(await check(good), "RequestUsed");
    const again = await proven(tiers, await newRequest(tiers, 1));
    assert.equal(again[2], good[2]);
    assert.equal(await check(again), "NullifierUsed");
    const elsewhere = await proven(tiers, await newRequest(tiers, 1, { windowId: 2 }));
    assert.notEqual(elsewhere[2], good[2]);
    await (await registry.verifyTier(...elsewhere)).wait();
  });

  it("gives one member as many uses as the policy says, each under its own nullifier", async () => {
    const twice = { policy: packed({ maxUses: 2n }), maxUses: 2, windowId: 3 };
    const calls = [];
    for (const useIndex of [0n, 1n]) calls.push(await proven(tiers, await newRequest(tiers, 1, twice), { useIndex }));
    for (const call of calls) await (await registry.verifyTier(...call)).wait();
    assert.notEqual(calls[0][2], calls[1][2]);
    await assert.rejects(async () => proven(tiers, await newRequest(tiers, 1, twice), { useIndex: 2n }));
  });

  describe("of a request that was not answered yet", () => {
    before(async () => {
      good = await proven(tiers, await newRequest(tiers, 1, { windowId: 4 }));
      assert.equal(await check(good), "no refusal");
    });

    it("does not fit another nullifier, not even the same one and the order of the field", async () => {
      const [request, signature, nullifier, proof] = good;
      assert.equal(await check([request, signature, nullifier + R, proof]), "NullifierOutOfField");
      assert.equal(await check([request, signature, nullifier + 1n, proof]), "ProofInvalid");
    });

    it("does not fit another request of the same partner, recipient included", async () => {
      for (const changed of [{ recipient: tiers.admin.address }, { nonce: keccak256("0x01") }, { policy: packed({ lo: 1n }) }]) {
        const other = await proven(tiers, { ...good[0], ...changed });
        assert.equal(await check(other), "no refusal");
        assert.equal(await check([...other.slice(0, 3), good[3]]), "ProofInvalid");
      }
    });

    const FORGED = {
      "all zero": () => Array(8).fill(0n),
      "A and C at infinity": (proof) => [0n, 0n, ...proof.slice(2, 6), 0n, 0n],
      "B at infinity": (proof) => [...proof.slice(0, 2), 0n, 0n, 0n, 0n, ...proof.slice(6)],
      "A negated": (proof) => proof.with(1, P - proof[1]),
      "C negated": (proof) => proof.with(7, P - proof[7]),
      "A off the curve": (proof) => proof.with(0, proof[0] + 1n),
      "C off the curve": (proof) => proof.with(7, proof[7] + 1n),
      "B off the curve": (proof) => proof.with(2, proof[2] + 1n),
      "B's parts swapped": ([a, b, c, d, e, f, ...rest]) => [a, b, d, c, f, e, ...rest],
      "A and C swapped": (proof) => [...proof.slice(6), ...proof.slice(2, 6), ...proof.slice(0, 2)],
      "a coordinate and the field's order": (proof) => proof.with(0, proof[0] + P),
      "a coordinate of all ones": (proof) => proof.with(0, (1n << 256n) - 1n),
    };
    for (const [name, change] of Object.entries(FORGED)) {
      it(`is none any more: ${name}`, async () => assert.equal(await check(withProof(change)), "ProofInvalid"));
    }

    it("is none with B outside the subgroup", async () => {
      // A point of the twist with x = 1 + 0i...: of the curve, and in no subgroup that a pairing knows.
      const outside = outsideTheSubgroup();
      const forged = withProof(([a, b, , , , , ...rest]) => [a, b, ...outside, ...rest]);
      assert.equal(await check(forged), "ProofInvalid");
    });

    it("counts malleated too, and is the same use then", async () => {
      // −A and −B pair as A and B do: another proof of the same statement, which anybody can make from the first.
      const twin = withProof((proof) => proof.with(1, P - proof[1]).with(4, P - proof[4]).with(5, P - proof[5]));
      assert.equal(await check(twin), "no refusal");
      await (await registry.verifyTier(...good)).wait();
      assert.equal(await check(twin), "RequestUsed");
    });

    it("is never called bad for want of gas, and costs no more than its share when it is bad", async () => {
      const call = await proven(tiers, await newRequest(tiers, 1, { windowId: 5 }));
      const names = new Set();
      for (let gas = 30_000; gas <= 700_000; gas += 5_000) {
        names.add(await said(registry.checkTier(...call, { gasLimit: gas })).catch(() => "out of gas"));
      }
      assert.deepEqual([...names].sort(), ["GasTooLow", "no refusal", "out of gas"]);
      const bad = [...call.slice(0, 3), FORGED["A off the curve"](call[3].map(BigInt))];
      assert.equal(await said(registry.checkTier(...bad, { gasLimit: 600_000 })), "ProofInvalid");
    });
  });

  it("belongs to its epoch and to its circuit's key", async () => {
    const second = await publish(tiers, { root: rootOf(tiers, 2), notAfter: (await tiers.now()) + 30 * DAY });
    const first = await proven(tiers, await newRequest(tiers, 1, { windowId: 6 }));
    const later = await proven(tiers, { ...first[0], epoch: second.epoch });
    assert.equal(await check(later), "no refusal");
    assert.equal(await check([...later.slice(0, 3), first[3]]), "ProofInvalid");
    assert.equal(await check(first), "no refusal");
    assert.notEqual(header.root, second.root, "one member's leaves in two epochs have nothing in common");
    const other = await tiers.deploy("SignalsVerifier", [], tiers.admin);
    await registry.registerCircuit(first[0].circuitId, other, keccak256("0x09"), CEREMONY);
    await publish(tiers, { root: rootOf(tiers, 3), vkHash: keccak256("0x09") });
    const byOldKey = await proven(tiers, { ...first[0], epoch: 3n });
    assert.equal(await check(byOldKey), "ProofInvalid");
    assert.equal(await check(first), "no refusal", "an epoch keeps the key that it was published with");
  });

  it("of another registry is none here", async () => {
    const there = await newTiers({ chain: tiers, verifier: "TierProofVerifier", vkHash: VK_HASH });
    const request = await newRequest(tiers, 1, { windowId: 7 });
    const foreign = { ...request, scope: scopeOf(tiers.chainId, there.registry.target, request) };
    const call = await proven(there, foreign);
    assert.equal(await check(call), "ScopeMismatch");
    const here = await proven(tiers, request);
    assert.equal(await check([...here.slice(0, 3), call[3]]), "ProofInvalid");
  });
});

/** The first point of the twist y² = x³ + 3/(9 + i) with a small real x, as the contract takes it: chance puts none of them
 * into the subgroup, whose index is about 2^254. */
function outsideTheSubgroup() {
  const mod = (a) => ((a % P) + P) % P;
  const power = (base, exponent) => {
    let [result, square, left] = [1n, mod(base), exponent];
    for (; left; left >>= 1n, square = mod(square * square)) if (left & 1n) result = mod(result * square);
    return result;
  };
  const root = (a) => [power(a, (P + 1n) / 4n)].find((r) => mod(r * r) === mod(a));
  const inverse82 = power(82n, P - 2n);
  const [b0, b1] = [mod(27n * inverse82), mod(-3n * inverse82)];
  for (let x = 1n; ; x++) {
    const [re, im] = [mod(x * x * x + b0), b1];
    const norm = root(mod(re * re + im * im));
    if (norm === undefined) continue;
    for (const sign of [norm, -norm]) {
      const y0 = root(mod((re + sign) * power(2n, P - 2n)));
      if (y0 === undefined || y0 === 0n) continue;
      return [0n, x, mod(im * power(2n * y0, P - 2n)), y0];
    }
  }
}
