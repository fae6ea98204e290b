// Typed words, struct hashes and the positional tree in plain JavaScript over one keccak: written from the protocol, not
// from the Solidity, so that the two can be held against each other and against proofs/vectors/ex1.json.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { keccak256 } from "ethers";

export const EX1 = JSON.parse(
  readFileSync(join(import.meta.dirname, "..", "..", "proofs", "vectors", "ex1.json"), "utf8"),
);
export const ZERO = "0x" + "00".repeat(32);

const STRUCTS = [
  "PointsEvent(uint8 kind,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 occurredAt,uint32 issuerId,bytes32 memberRef,uint64 points,uint32 termsId,uint128 settleAmount,bytes32 refEventId,uint32 campaignId,uint8 level,uint128 basis,bytes32 detailHash)",
  "Posting(bytes32 account,uint64 seq,uint64 prevLeafNo,int128 delta,int128 balance,bytes32 salt)",
  "SettlementLeaf(uint64 leafNo,uint64 lanePrevLeafNo,bytes32 eventHash,bytes32 sigR,bytes32 sigVS,bytes32 issuerPosting,bytes32 debtorPosting,bytes32 creditorPosting,bytes32 memberPosting,int128 totalPointsAfter)",
  "AccountRow(bytes32 account,uint64 seq,uint64 lastLeafNo,int128 balance,bytes32 salt)",
  "BatchHeader(uint64 batchNo,bytes32 prevHeaderHash,uint64 firstLeafNo,uint32 leafCount,bytes32 leavesRoot,uint32 accountsCount,bytes32 accountsRoot,bytes32 historyRoot,bytes32 journalHead,int128 totalPoints,bytes32 netsHash,uint64 netsSinceBatch,bytes32 dataHash,bytes32 blobHash,uint64 openedAt,uint64 sealedAt,bytes32 configHash)",
  "AcceptanceReceipt(bytes32 eventHash,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 acceptedAt,uint64 mergeBy)",
  "ClaimTo(bytes32 payee,uint32 campaignId,uint64 leafNo,address recipient,uint64 deadline)",
  "LiabilityLeaf(bytes32 account,uint64 seq,uint128 balance,bytes32 authKey,bytes32 salt)",
  "IssuerLiability(uint32 issuerId,bytes32 sumRoot,uint128 total,uint128 debtTotal,uint64 memberCount,bytes32 salt)",
];

function parse(type) {
  const [, name, list] = type.match(/^(\w+)\((.*)\)$/);
  return { name, type, fields: list.split(",").map((field) => field.split(" ")) };
}

const TYPES = Object.fromEntries(STRUCTS.map(parse).map((struct) => [struct.name, struct]));

export const concat = (...parts) => "0x" + parts.map((part) => part.slice(2)).join("");

/** 32-byte big-endian two's complement word of an integer. */
export const word = (value) => "0x" + BigInt.asUintN(256, BigInt(value)).toString(16).padStart(64, "0");

const BYTES = { bytes32: /^0x[0-9a-fA-F]{64}$/, address: /^0x[0-9a-fA-F]{40}$/ };

/** The word of a value, which must fit its type. */
function encodeField(kind, value) {
  if (kind in BYTES ? !BYTES[kind].test(value) : !fits(kind, BigInt(value))) throw new RangeError(`${value} is no ${kind}`);
  return kind === "bytes32" ? value : word(value);
}

function fits(kind, value) {
  const bits = Number(kind.replace(/\D/g, ""));
  return (kind.startsWith("u") ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value)) === value;
}

export const fieldsOf = (name) => TYPES[name].fields.map(([, field]) => field);

export const typedFieldsOf = (name) => TYPES[name].fields;

export const typeHash = (name) => keccak256(Buffer.from(TYPES[name].type));

export function hashStruct(name, values) {
  return keccak256(concat(typeHash(name), ...TYPES[name].fields.map(([kind, field]) => encodeField(kind, values[field]))));
}

export function domainSeparator(chainId, hub) {
  const type = keccak256(
    Buffer.from("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
  );
  const [name, version] = ["PointsAlliance", "1"].map((text) => keccak256(Buffer.from(text)));
  return keccak256(concat(type, name, version, word(chainId), word(hub)));
}

export const signedDigest = (separator, structHash) => keccak256(concat("0x1901", separator, structHash));

export function netsHash(nets) {
  const pairs = nets.flatMap(({ merchantId, amount }) => [word(merchantId), word(amount)]);
  return keccak256(concat(word(32), word(nets.length), ...pairs));
}

export const carriedAnchor = (chainId, hub, old) =>
  keccak256(concat(keccak256(Buffer.from("LPA-CARRIED")), word(chainId), word(hub), word(old.chainId), word(old.hub), old.headerHash));
export const genesisAnchor = (chainId, hub) => keccak256(concat(keccak256(Buffer.from("LPA-GENESIS")), word(chainId), word(hub)));

export const configHash = (versions) => keccak256(concat(...versions.map(word)));

export const journalLink = (head, entry) => keccak256(concat("0x02", head, keccak256(entry)));

/** The root over header hashes that other logs' tools check too; `sha256` is the one place of another hash. */
export function historyRoot(hashes, sha256) {
  if (hashes.length < 2) return sha256(hashes.length ? concat("0x00", hashes[0]) : "0x");
  let split = 1;
  while (split * 2 < hashes.length) split *= 2;
  const [left, right] = [hashes.slice(0, split), hashes.slice(split)].map((part) => historyRoot(part, sha256));
  return sha256(concat("0x01", left, right));
}

export const eventId = (event) =>
  "0x" + [event.merchantId, event.keyId].map((id) => word(id).slice(-8)).join("") + word(event.nonce).slice(-16) + "00".repeat(16);

// The tree: positional, prefixed, an odd last node promoted.
export const treeLeaf = (item) => keccak256(concat("0x00", item));
export const treeNode = (left, right) => keccak256(concat("0x01", left, right));

function nextLevel(level) {
  const up = [];
  for (let at = 0; at + 1 < level.length; at += 2) up.push(treeNode(level[at], level[at + 1]));
  if (level.length % 2) up.push(level.at(-1));
  return up;
}

export function treeRoot(items) {
  let level = items.map(treeLeaf);
  while (level.length > 1) level = nextLevel(level);
  return level[0];
}

export function treePath(items, index) {
  const path = [];
  for (let level = items.map(treeLeaf), at = index; level.length > 1; level = nextLevel(level), at >>= 1) {
    if ((at ^ 1) < level.length) path.push(level[at ^ 1]);
  }
  return path;
}

// The sum tree of liabilities: a node is a hash and a sum, and both children's sums are hashed.
export const SUM_MAX = (1n << 127n) - 1n;

function inRange(sum) {
  if (sum < 0n || sum > SUM_MAX) throw new RangeError(`the sum ${sum} is out of range`);
  return word(sum);
}

export const sumLeaf = (item, total) => ({ hash: keccak256(concat("0x10", item, inRange(BigInt(total)))), total: BigInt(total) });

function sumNode(left, right) {
  const hash = keccak256(concat("0x11", left.hash, inRange(left.total), right.hash, inRange(right.total)));
  inRange(left.total + right.total);
  return { hash, total: left.total + right.total };
}

export function sumRoot(leaves) {
  if (leaves.length === 1) return leaves[0];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sumNode(sumRoot(leaves.slice(0, split)), sumRoot(leaves.slice(split)));
}

/** Root that a path leads to (RFC 9162 §2.1.3.2); throws unless the path has exactly the hashes the place calls for. */
export const rootFromPath = (size, index, item, path) => climb(size, index, treeLeaf(item), path, treeNode);

/** The same in a sum tree: nodes are {hash, total}. */
export const sumFromPath = (size, index, item, balance, path) => climb(size, index, sumLeaf(item, balance), path, sumNode);

function climb(size, index, from, path, join) {
  if (!(index >= 0 && index < size)) throw new RangeError(`place ${index} of ${size}`);
  let [fn, sn, root] = [index, size - 1, from];
  for (const sibling of path) {
    if (sn === 0) throw new RangeError("path too long");
    if (fn % 2 === 1 || fn === sn) {
      root = join(sibling, root);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    } else {
      root = join(root, sibling);
    }
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  if (sn !== 0) throw new RangeError("path too short");
  return root;
}
