// What each call costs, on one fixed chain, against hardhat/gas.json and against the limits of the protocol (§9.1). That
// file and the table in docs/contracts.md are written by `npm run gas`; a figure that has moved by more than the tolerance
// fails, and so does one over its limit.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { keccak256 } from "ethers";
import { ATTESTERS, DAY, TILL_MASK, UNIT, attestations, commit, newAlliance, newChain, nextHeader } from "./alliance.mjs";
import { RECEIPT_KEY, earn, laneAccount, laneKey, leafOf, openLanes, sign } from "./lanes.mjs";
import { VK_HASH, proven, rootOf } from "./tier_member.mjs";
import { newRequest, newTiers, nextEpoch, publish, signHeader } from "./tiers.mjs";
import { ZERO, concat, hashStruct, word } from "./words.mjs";

const TABLE = join(import.meta.dirname, "..", "gas.json");
const PAGE = join(import.meta.dirname, "..", "..", "docs", "contracts.md");
const [PAGE_FROM, PAGE_TO] = ["<!-- gas: written by npm run gas -->\n", "<!-- end of gas -->"];
const TOLERANCE_PER_MILLE = 5n;
const MERCHANTS = 512;
const NEW_YEAR_2030 = 1_893_456_000;
const LIMITS = {
  "commit log, 3 attestations": 140_000n,
  "commit settling, 50 nets": 450_000n,
  "finalise, 50 nets": 600_000n,
  "commit settling, 512 nets": 12_000_000n,
  "finalise, 512 nets, dearest call": 12_000_000n,
  publishEpoch: 160_000n,
  verifyTier: 350_000n,
  "finalise log": 58_000n,
  "finaliseThrough, 12 log batches": 165_000n,
  "forceEvent": 230_000n,
  "dischargeForced": 100_000n,
  "coverForced": 105_000n,
  "commit log, 3 attestations, one event overdue": 175_000n,
  "proveLateReceipt": 150_000n,
  "proveLateEvent": 155_000n,
  "revertFrom": 150_000n,
  "releaseReverted, 50 nets": 255_000n,
  "finalise, one default": 330_000n,
  "collectClaim": 55_000n,
};

const measured = {};

/** The page with its gas table made from these figures. */
function pageWith(page, table) {
  const [before, rest] = page.split(PAGE_FROM);
  const lines = Object.entries(table).map(([name, gas]) => `| ${name} | ${gas.toLocaleString("en-US")} | ${limitOf(name)} |`);
  const body = ["| call | gas | limit |", "|---|--:|--:|", ...lines, ""].join("\n");
  return before + PAGE_FROM + body + PAGE_TO + rest.split(PAGE_TO)[1];
}

const limitOf = (name) => LIMITS[name]?.toLocaleString("en-US") ?? "";

function note(name, receipt) {
  measured[name] = receipt.gasUsed;
}

/** `count` nets over the merchants from 1: odd ids pay, even ids receive, all different, sum 0. */
function netsOf(count) {
  const amounts = Array.from({ length: count }, (_, i) => BigInt(1_000 + i) * (i % 2 ? 1n : -1n));
  amounts[count - 1] -= amounts.reduce((sum, amount) => sum + amount, 0n);
  return amounts.map((amount, i) => ({ merchantId: i + 1, amount }));
}

/** A tree of 2^depth leaves of which the first is known: its root, and the path of that leaf. */
function deep(hash, depth) {
  const path = Array.from({ length: depth }, (_, level) => keccak256(word(level + 1)));
  const root = path.reduce((node, sibling) => keccak256(concat("0x01", node, sibling)), keccak256(concat("0x00", hash)));
  return { root, path };
}

describe("gas", () => {
  let alliance;
  const quorum = ATTESTERS.slice(0, 3);

  before(async () => {
    const chain = await newChain();
    await chain.moveTo(NEW_YEAR_2030);
    alliance = await newAlliance({ merchants: MERCHANTS, collateral: 100n * UNIT, chain });
    await commit(alliance, { nets: [], wallets: quorum });
  });

  async function finalise(header, nets) {
    return (await alliance.hub.finaliseBatch(header, nets)).wait();
  }

  it("measures log batches", async () => {
    const pending = [];
    for (const count of [0, 3, 5]) {
      const { header, receipt } = await commit(alliance, { wallets: ATTESTERS.slice(0, count) });
      note(`commit log, ${count} attestations`, receipt);
      pending.push(header);
    }
    for (let i = 0; i < 10; i++) pending.push((await commit(alliance, { wallets: quorum })).header);
    await alliance.pass(8 * DAY);
    await alliance.hub.finaliseThrough(1).then(
      () => assert.fail("batch 1 settles"),
      () => {},
    );
    const { hub } = alliance;
    const first = await hub.queryFilter(hub.filters.BatchCommitted(1));
    await (await hub.finaliseBatch(first[0].args.header.toObject(), [])).wait();
    note("finalise log", await finalise(pending[0], []));
    note("finaliseThrough, 12 log batches", await (await hub.finaliseThrough(await hub.nextBatchNo() - 1n)).wait());
  });

  it("measures settling batches", async () => {
    for (const count of [3, 10, 50, 200]) {
      const nets = netsOf(count);
      const { header, receipt } = await commit(alliance, { nets, wallets: quorum });
      note(`commit settling, ${count} nets`, receipt);
      await alliance.pass(DAY);
      note(`finalise, ${count} nets`, await finalise(header, nets));
    }
  });

  it("measures 512 nets when all debtors default, and when all creditors lose", async () => {
    const { hub, owner } = alliance;
    // Every member has shares, so that each default burns some: the dearest way through the waterfall.
    const fund = alliance.fund.connect(owner);
    for (let id = 1; id <= MERCHANTS; id++) await fund.joinGuarantee(id, UNIT, 0);
    const owing = Array.from({ length: MERCHANTS }, (_, i) => ({ merchantId: i + 1, amount: -300n * UNIT }));
    owing[0].amount = BigInt(MERCHANTS - 1) * 300n * UNIT;
    const losing = owing.map(({ merchantId, amount }) => ({ merchantId, amount: -amount }));
    let [dearestCommit, dearest] = [0n, 0n];
    for (const nets of [owing, losing]) {
      await hub.postBond(10_000n * UNIT);
      const { header, receipt } = await commit(alliance, { nets, wallets: quorum });
      if (receipt.gasUsed > dearestCommit) dearestCommit = receipt.gasUsed;
      await alliance.pass(DAY);
      for (let calls = 0; (await hub.nextFinalNo()) === header.batchNo; calls++) {
        assert.ok(calls < 30);
        const { gasUsed } = await finalise(header, nets);
        if (gasUsed > dearest) dearest = gasUsed;
      }
      const { held, owed } = await hub.solvency();
      assert.equal(held, owed);
    }
    const { claims, fromBond } = await alliance.fund.defaultPool((await hub.nextBatchNo()) - 2n);
    assert.ok(claims + fromBond > BigInt(MERCHANTS - 1) * 199n * UNIT, "every debtor has defaulted on two thirds");
    note("commit settling, 512 nets", { gasUsed: dearestCommit });
    note("finalise, 512 nets, dearest call", { gasUsed: dearest });
  });

  it("measures setting up", async () => {
    const { hub, policy, registry, fund, queue, asset, owner } = alliance;
    const sixtyFour = Array.from({ length: 64 }, (_, i) => 1_001 + i);
    const one = (name, sent) => sent.then((tx) => tx.wait()).then((receipt) => note(name, receipt));
    const entry = { admin: owner.address, payoutAddress: owner.address };
    await one("addMerchants, 64", registry.addMerchants(sixtyFour.map((merchantId) => ({ merchantId, ...entry }))));
    const byOwner = registry.connect(owner);
    const key = { keyId: 1, signer: owner.address, kindMask: TILL_MASK };
    await one("addKeys, 64", byOwner.addKeys(sixtyFour.map((merchantId) => ({ merchantId, ...key }))));
    const terms = { acceptorId: 0, num: 10_000, den: 1, mode: 0 };
    await one("addTerms, 64", byOwner.addTerms(sixtyFour.map((issuerId) => ({ issuerId, ...terms }))));
    await one("deposit", hub.deposit(1_001, UNIT));
    const contracts = { SettlementHub: hub, GuaranteeFund: fund, ForcedQueue: queue, AlliancePolicy: policy, MerchantRegistry: registry, TestToken: asset };
    for (const [name, contract] of Object.entries(contracts)) {
      note(`deploy ${name}`, await contract.deploymentTransaction().wait());
    }
  });

  it("measures tiers", async () => {
    const tiers = await newTiers({ chain: alliance, verifier: "TierProofVerifier", vkHash: VK_HASH });
    const { registry, now } = tiers;
    note("deploy TierRegistry", await registry.deploymentTransaction().wait());
    note("deploy TierProofVerifier", await tiers.checks.deploymentTransaction().wait());
    await publish(tiers);
    const header = await nextEpoch(tiers, { root: rootOf(tiers, 2), notAfter: (await now()) + 30 * DAY });
    note("publishEpoch", await (await registry.publishEpoch(header, await signHeader(tiers, header))).wait());
    const call = await proven(tiers, await newRequest(tiers, 2, { nonce: ZERO, expiresAt: (await now()) + DAY }));
    note("verifyTier", await (await registry.verifyTier(...call)).wait());
  });

  it("measures what is forced, promised in vain, thrown out and owed, with paths of 65,536 leaves and 1,024 rows", async () => {
    const chain = await newChain();
    await chain.moveTo(NEW_YEAR_2030);
    const own = await newAlliance({ merchants: 50, collateral: 100n * UNIT, chain });
    const { hub, queue, fund, policy, admin } = own;
    const one = (name, sent) => sent.then((tx) => tx.wait()).then((receipt) => note(name, receipt));
    await openLanes(own, [1]);
    await policy.addReceiptSigner(RECEIPT_KEY.address);
    await commit(own);
    const row = { account: laneAccount(1), seq: 3, lastLeafNo: 0, balance: 0, salt: word(1) };
    const rows = deep(hashStruct("AccountRow", row), 10);
    const { header: last } = await commit(own, { accountsCount: 1_024n, accountsRoot: rows.root });
    const rowProof = { header: last, row, index: 0, path: rows.path };
    const force = async (event) => queue.forceEvent(event, await sign(hub, "PointsEvent", event, laneKey(1)), rowProof);
    await one("forceEvent", force(earn(1, 4)));
    await force(earn(1, 5));
    /** The next batch, of which leaf 0 holds this number. */
    const holding = async (nonce) => {
      const pointsEvent = earn(1, nonce);
      const leaf = await leafOf(hub, await hub.nextLeafNo(), pointsEvent);
      const { root, path } = deep(hashStruct("SettlementLeaf", leaf), 16);
      const header = await nextHeader(own, { leavesRoot: root });
      return { header, proof: { header, leaf, index: 0, path, pointsEvent } };
    };
    const first = await holding(4);
    await hub.commitBatch(first.header, [], []);
    await one("dischargeForced", queue.dischargeForced(1, first.proof));
    await own.pass(2 * DAY);
    const second = await holding(5);
    await one("coverForced", queue.coverForced(2, second.proof));
    const signed = await attestations(hub, second.header, quorum);
    await one("commit log, 3 attestations, one event overdue", hub.commitBatch(second.header, [], signed));

    const promised = async (event) => {
      const { merchantId, keyId, nonce } = event;
      const mergeBy = last.sealedAt - 1n;
      const receipt = { eventHash: hashStruct("PointsEvent", event), merchantId, keyId, nonce, acceptedAt: mergeBy - 7_200n, mergeBy };
      return [receipt, await sign(hub, "AcceptanceReceipt", receipt, RECEIPT_KEY), rowProof];
    };
    await one("proveLateReceipt", queue.proveLateReceipt(...(await promised(earn(1, 6)))));
    await one("proveLateEvent", queue.proveLateEvent(...(await promised(earn(1, 7))), earn(1, 7)));

    await hub.postBond(50_000n * UNIT);
    const nets = netsOf(50);
    const { header } = await commit(own, { nets, wallets: quorum });
    await hub.grantRole(await hub.COURT_ROLE(), admin.address);
    await one("revertFrom", hub.revertFrom(header, admin.address, 9));
    await one("releaseReverted, 50 nets", hub.releaseReverted(header, nets));

    await hub.postBond(50_000n * UNIT);
    const owing = [
      { merchantId: 2, amount: -60_000n * UNIT },
      { merchantId: 3, amount: 60_000n * UNIT },
    ];
    const defaulted = await commit(own, { nets: owing, wallets: quorum });
    await own.pass(8 * DAY);
    for (let no = await hub.nextFinalNo(); no < defaulted.header.batchNo; no++) await hub.finaliseThrough(no);
    await one("finalise, one default", hub.finaliseBatch(defaulted.header, owing));
    await hub.deposit(2, 100n * UNIT);
    await one("collectClaim", fund.collectClaim(defaulted.header.batchNo, 3));
  });

  it("stays under the limits and at the figures on file", () => {
    for (const [name, limit] of Object.entries(LIMITS)) {
      assert.ok(measured[name] <= limit, `${name}: ${measured[name]} gas, at most ${limit}`);
    }
    if (process.env.GAS_WRITE) {
      const table = Object.fromEntries(Object.entries(measured).map(([name, gas]) => [name, Number(gas)]));
      writeFileSync(TABLE, JSON.stringify(table, null, 2) + "\n");
      writeFileSync(PAGE, pageWith(readFileSync(PAGE, "utf8"), table));
    }
    const onFile = JSON.parse(readFileSync(TABLE, "utf8"));
    assert.deepEqual(Object.keys(onFile), Object.keys(measured));
    const page = readFileSync(PAGE, "utf8");
    assert.equal(page, pageWith(page, onFile), "docs/contracts.md shows other figures. Run: npm run gas");
    for (const [name, gas] of Object.entries(measured)) {
      const drift = gas > BigInt(onFile[name]) ? gas - BigInt(onFile[name]) : BigInt(onFile[name]) - gas;
      assert.ok(drift * 1_000n <= gas * TOLERANCE_PER_MILLE, `${name}: ${gas} gas, ${onFile[name]} on file. Run: npm run gas`);
    }
  });
});
