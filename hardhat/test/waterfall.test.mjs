// The waterfall's vectors on a real hub: what Python's plain model says, to the unit.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { DAY, commit, newAlliance } from "./alliance.mjs";

const CASES = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "proofs", "vectors", "waterfall.json"), "utf8"));
const MERCHANTS = 12;
const total = (listed) => listed.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
const of = (listed, id) => BigInt(listed.find(({ merchantId }) => merchantId === id)?.amount ?? 0);

/** The same sharing once more in JavaScript: floors, then an odd unit each from the first. */
function cutsOf(missing, nets) {
  const creditors = nets.filter(({ amount }) => amount > 0n);
  const gross = total(creditors);
  const floors = creditors.map(({ amount }) => (missing * amount) / gross);
  const odd = missing - floors.reduce((sum, floor) => sum + floor, 0n);
  return creditors.map(({ merchantId }, place) => ({ merchantId, amount: floors[place] + (BigInt(place) < odd ? 1n : 0n) }));
}

describe("the waterfall's vectors", () => {
  let alliance, hub, fund;
  before(async () => {
    alliance = await newAlliance({ merchants: MERCHANTS, collateral: 0n, bond: 0n });
    hub = alliance.hub;
    fund = alliance.fund.connect(alliance.owner);
  });

  for (const { name, bond, collateral, joins, nets: listed, result } of CASES) {
    it(name, async () => {
      const snapshot = await alliance.rpc("evm_snapshot");
      const nets = listed.map(({ merchantId, amount }) => ({ merchantId, amount: BigInt(amount) }));
      if (bond) await hub.postBond(bond);
      for (const { merchantId, amount } of collateral) await hub.deposit(merchantId, amount);
      for (const { merchantId, amount } of joins) await fund.joinGuarantee(merchantId, amount, 0);
      const { header } = await commit(alliance, { nets });
      await alliance.pass(7 * DAY);
      await hub.finaliseBatch(header, nets);
      const pool = await fund.defaultPool(1);
      assert.deepEqual([pool.fromBond, pool.fromFund, pool.claims], [BigInt(result.fromBond), BigInt(result.fromFund), total(result.cuts)]);
      assert.deepEqual(cutsOf(pool.claims, nets).filter(({ amount }) => amount), result.cuts.map(({ merchantId, amount }) => ({ merchantId, amount: BigInt(amount) })));
      for (let id = 1; id <= MERCHANTS; id++) {
        assert.equal((await fund.claimOf(1, id)).amount, of(result.cuts, id), `claim of ${id}`);
        assert.equal(await fund.owedBy(id), of(result.owed, id), `debt of ${id}`);
        assert.equal((await hub.balanceOf(id)).free, of(result.free, id), `collateral of ${id}`);
        assert.equal(await fund.sharesOf(id), of(result.shares, id), `shares of ${id}`);
      }
      assert.deepEqual([await hub.operatorBond(), await fund.assets()], [BigInt(result.bond), BigInt(result.assets)]);
      const { held, owed } = await hub.solvency();
      assert.equal(held, owed);
      await alliance.rpc("evm_revert", snapshot);
    });
  }
});
