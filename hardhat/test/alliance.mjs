// A small alliance on a fresh in-process chain: the deployed contracts, some merchants with collateral, and a builder of
// headers that fit. Every test file takes its own chain; time moves only when a test says so.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BrowserProvider, ContractFactory, Interface, Wallet, ZeroAddress, keccak256 } from "ethers";
import { network } from "hardhat";
import { ZERO, concat, hashStruct, netsHash, signedDigest, word } from "./words.mjs";

export const UNIT = 1_000_000n;
export const HOUR = 3600;
export const DAY = 24 * HOUR;
export const DEFAULT_PARAMS = {
  fastWindowSeconds: 6 * HOUR,
  slowWindowSeconds: 7 * DAY,
  sealLagSecondsMax: 6 * HOUR,
  withdrawDelaySeconds: 7 * DAY,
  honestWeight: 3,
  operatorBondMin: 50_000n * UNIT,
  grossCapSlow: 100_000n * UNIT,
  grossCapFast: 2_000_000n * UNIT,
};
/** Kinds of a till's key, as bits of a mask. */
export const TILL_MASK = [1, 2, 3, 4].reduce((mask, kind) => mask | (1 << kind), 0);

const SOURCES = {
  TestToken: "mocks/TestToken.sol",
  FeeToken: "mocks/HostileTokens.sol",
  CallbackToken: "mocks/HostileTokens.sol",
  FreezingToken: "mocks/HostileTokens.sol",
  MerchantRegistry: "MerchantRegistry.sol",
  AlliancePolicy: "AlliancePolicy.sol",
  GuaranteeFund: "GuaranteeFund.sol",
  ForcedQueue: "ForcedQueue.sol",
  SettlementHub: "SettlementHub.sol",
  Council: "governance/Council.sol",
  Timelock: "governance/Timelock.sol",
  VerifierHarness: "mocks/VerifierHarness.sol",
  EdgeHarness: "mocks/EdgeHarness.sol",
  TierRegistry: "TierRegistry.sol",
  SignalsVerifier: "mocks/TierVerifiers.sol",
  GreedyVerifier: "mocks/TierVerifiers.sol",
  TierProofVerifier: "generated/TierProofVerifier.sol",
};

export function artifact(name) {
  const folder = join(import.meta.dirname, "..", "artifacts", "contracts", SOURCES[name]);
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
}

const ERRORS = new Interface(
  Object.keys(SOURCES)
    .flatMap((name) => artifact(name).abi)
    .filter((item) => item.type === "error"),
);

/** Name and arguments of the custom error that `promise` fails with. */
export async function refusal(promise) {
  try {
    const sent = await promise;
    await sent?.wait?.();
  } catch (error) {
    const data = error.data ?? error.info?.error?.data ?? error.error?.data;
    const hex = typeof data === "string" ? data : data?.data;
    const parsed = hex && ERRORS.parseError(hex);
    if (!parsed) throw error;
    return { name: parsed.name, args: [...parsed.args] };
  }
  return { name: "no refusal", args: [] };
}

export async function newChain(options = {}) {
  const { provider } = await network.create({ override: options });
  const chain = new BrowserProvider(provider, undefined, { cacheTimeout: -1 });
  const rpc = (method, ...params) => provider.request({ method, params });
  const deploy = async (name, args, from) => {
    const { abi, bytecode } = artifact(name);
    const contract = await new ContractFactory(abi, bytecode, from).deploy(...args);
    return contract.waitForDeployment();
  };
  const now = async () => Number(BigInt((await rpc("eth_getBlockByNumber", "latest", false)).timestamp));
  const moveTo = async (seconds) => {
    await rpc("evm_setNextBlockTimestamp", seconds);
    await rpc("evm_mine");
  };
  const pass = async (seconds) => moveTo((await now()) + seconds);
  const account = (index) => chain.getSigner(index);
  return { provider: chain, rpc, deploy, now, moveTo, pass, account };
}

/** Deterministic attester keys, ascending by address so that their signatures are in order. */
export const ATTESTERS = Array.from({ length: 8 }, (_, i) => new Wallet(keccak256(Buffer.from(`attester-${i}`)))).sort(
  (a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1),
);
export const AUDITOR = 1n;
export const WATCHER = 2n;

/** The first `count` attesters with weight 1: auditors at even places, merchant watchers at odd ones. */
export const attesterSet = (count) =>
  ATTESTERS.slice(0, count).map((wallet, i) => ({ account: wallet.address, role: i % 2 ? WATCHER : AUDITOR, weight: 1 }));

export function attest(wallet, digest) {
  const signature = wallet.signingKey.sign(digest);
  return [signature.r, signature.yParityAndS];
}

/** What is carried over to a hub that begins with nothing. */
export const NOTHING_CARRIED = {
  chainId: 0n,
  hub: ZeroAddress,
  headerHash: ZERO,
  batchNo: 0n,
  netsSinceBatch: 0n,
  firstLeafNo: 0n,
  totalPoints: 0n,
  journalHead: ZERO,
};

/**
 * Token, registry, policy and hub, with `merchants` registered (ids 1…), each with `collateral`, the `bond` posted (which
 * is also its minimum) and five attesters of weight 1.
 */
export async function newAlliance({
  merchants = 4,
  collateral = 1_000n * UNIT,
  bond = 50_000n * UNIT,
  token = "TestToken",
  chain,
  carried = NOTHING_CARRIED,
} = {}) {
  const at = chain ?? (await newChain());
  const admin = await at.account(0);
  const owner = await at.account(1);
  const asset = await at.deploy(token, [], admin);
  const registry = await at.deploy("MerchantRegistry", [admin.address], admin);
  const genesisConfig = keccak256(Buffer.from("config-0"));
  const attesters = attesterSet(5);
  const params = { ...DEFAULT_PARAMS, operatorBondMin: bond };
  const policyArgs = [registry, admin.address, params, attesters, genesisConfig];
  const policy = await at.deploy("AlliancePolicy", policyArgs, admin);
  const foundedAt = await at.now();
  const genesis = { accountsCount: 3 * merchants, accountsRoot: word(77), dataHash: ZERO, foundedAt, configHash: genesisConfig, carried };
  const fund = await at.deploy("GuaranteeFund", [registry], admin);
  const queue = await at.deploy("ForcedQueue", [policy], admin);
  const hub = await at.deploy("SettlementHub", [asset, policy, fund, queue, admin.address, genesis], admin);
  await registry.bindHub(hub);
  const alliance = { ...at, admin, owner, asset, registry, policy, fund, queue, hub, foundedAt };
  await registerMerchants(alliance, merchants);
  await pay(alliance, merchants, bond, collateral);
  return alliance;
}

async function registerMerchants({ registry, owner }, count) {
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  for (let from = 0; from < count; from += 50) {
    const part = ids.slice(from, from + 50);
    await registry.addMerchants(
      part.map((merchantId) => ({ merchantId, admin: owner.address, payoutAddress: owner.address })),
    );
  }
}

async function pay({ asset, hub, admin }, count, bond, collateral) {
  await asset.mint(admin.address, 1n << 90n);
  await asset.approve(hub, (1n << 256n) - 1n);
  if (bond) await hub.postBond(bond);
  for (let merchantId = 1; collateral && merchantId <= count; merchantId++) await hub.deposit(merchantId, collateral);
}

/** A header that the hub would take next; `changes` override its fields. Nets, if given, make it a settling batch. */
export async function nextHeader({ hub, policy, now }, { nets, ...changes } = {}) {
  const batchNo = await hub.nextBatchNo();
  const sealedAt = BigInt(await now());
  return {
    batchNo,
    prevHeaderHash: await hub.headerHash(batchNo - 1n),
    firstLeafNo: await hub.nextLeafNo(),
    leafCount: 65_536n,
    leavesRoot: keccak256(concat("0x01", word(batchNo))),
    accountsCount: 12n,
    accountsRoot: keccak256(concat("0x02", word(batchNo))),
    historyRoot: keccak256(concat("0x03", word(batchNo))),
    journalHead: keccak256(concat("0x04", word(batchNo))),
    totalPoints: 1_000n,
    netsHash: nets ? netsHash(nets) : ZERO,
    netsSinceBatch: await hub.lastSettleBatch(),
    dataHash: keccak256(concat("0x05", word(batchNo))),
    blobHash: ZERO,
    openedAt: sealedAt,
    sealedAt,
    configHash: await policy.configHash(),
    ...changes,
  };
}

export async function attestations(hub, header, wallets) {
  const digest = signedDigest(await hub.domainSeparator(), hashStruct("BatchHeader", header));
  return wallets.map((wallet) => attest(wallet, digest));
}

/** Commits the next batch with these nets and attesters; returns its header and receipt. */
export async function commit(alliance, { nets, wallets = [], ...changes } = {}) {
  const header = await nextHeader(alliance, { nets, ...changes });
  const sigs = await attestations(alliance.hub, header, wallets);
  const sent = await alliance.hub.commitBatch(header, nets ?? [], sigs);
  return { header, receipt: await sent.wait() };
}

/** Events of this name in a receipt, as objects. */
export function events(contract, receipt, name) {
  return receipt.logs
    .filter((log) => log.address === contract.target)
    .map((log) => contract.interface.parseLog(log))
    .filter((log) => log?.name === name)
    .map((log) => log.args.toObject());
}
