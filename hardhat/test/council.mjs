// A council of three of five over two timelocks, and the hand-over of an alliance to them: as settlement/handover.py does it.
import { AbiCoder, Wallet, keccak256, solidityPackedKeccak256 } from "ethers";
import { DAY, HOUR } from "./alliance.mjs";

export const [SLOW_DELAY, FAST_DELAY] = [14 * DAY, 48 * HOUR];
export const SIGNERS = Array.from({ length: 5 }, (_, i) => new Wallet(keccak256(Buffer.from(`council-${i}`))));
const NO_PREDECESSOR = "0x" + "00".repeat(32);
const FAR = (1n << 63n).toString();

const byHash = (a, b) => (BigInt(keccak256(a.address)) < BigInt(keccak256(b.address)) ? -1 : 1);

/** What `wallets` sign of a call, in the order the council wants. */
export async function signatures(council, target, data, wallets, { deadline = FAR, ordered = true } = {}) {
  const digest = await council.digestOf(target, data, deadline);
  const list = ordered ? [...wallets].sort(byHash) : wallets;
  const signed = list.map((wallet) => wallet.signingKey.sign(digest).serialized);
  return AbiCoder.defaultAbiCoder().encode(["bytes[]", "bytes[]"], [list.map((wallet) => wallet.address), signed]);
}

export async function bySigners(council, target, data, wallets = SIGNERS.slice(0, 3)) {
  return council.execute(target, data, FAR, await signatures(council, target, data, wallets));
}

/** Has the council schedule a call on a timelock; returns what executes it. */
export async function schedule(council, timelock, delay, target, data, salt = 1) {
  const word = solidityPackedKeccak256(["uint256"], [salt]);
  const call = timelock.interface.encodeFunctionData("schedule", [target, 0, data, NO_PREDECESSOR, word, delay]);
  await bySigners(council, timelock.target, call);
  return () => timelock.execute(target, 0, data, NO_PREDECESSOR, word);
}

/** Hands every role of the founding account over, and renounces. */
export async function handOver(alliance, { guardian, submitter, operator }) {
  const { admin, hub, policy, registry } = alliance;
  const council = await alliance.deploy("Council", [SIGNERS.map((wallet) => wallet.address), 3], admin);
  const everybody = "0x" + "00".repeat(20);
  const slow = await alliance.deploy("Timelock", [SLOW_DELAY, [council.target], [everybody]], admin);
  const fast = await alliance.deploy("Timelock", [FAST_DELAY, [council.target], [everybody]], admin);
  const roles = [
    [hub, "SUBMITTER_ROLE", submitter],
    [hub, "OPERATOR_ROLE", operator],
    [policy, "CHARTER_ROLE", slow.target],
    [policy, "GOVERNOR_ROLE", fast.target],
    [policy, "GUARDIAN_ROLE", guardian],
    [policy, "RISK_ROLE", council.target],
    [registry, "REGISTRAR_ROLE", council.target],
    ...[hub, policy, registry].map((contract) => [contract, "DEFAULT_ADMIN_ROLE", slow.target]),
  ];
  for (const [contract, name, to] of roles) await contract.grantRole(await contract[name](), to);
  for (const [contract, name] of roles) await contract.renounceRole(await contract[name](), admin.address);
  return { council, slow, fast, roles };
}

