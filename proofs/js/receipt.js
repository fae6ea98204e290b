// The member's own check: a receipt in, the verdict of each step out. The same steps and the same answers as
// proofs/receipt.py, checked against each other on the same receipts.
//
//   form       it is a receipt, every field in its one form
//   signature  the named address signed this event for this chain and hub
//   posting    the opened posting is the leaf's, and follows from the event
//   position   the leaf's number is one of the batch's
//   root       the leaf, by its path, is under the batch's root; so the header's hash is known
//   shown      what an app shows is what the receipt says
//
// What is left is to ask the chain: chain.js. Nothing here speaks to anybody.

import { keccak256 } from "./keccak.js";
import * as w from "./words.js";

export const STEPS = ["form", "signature", "posting", "position", "root", "shown"];
const SLOTS = ["issuer", "debtor", "creditor", "member"];
const FIELDS = [
  ...["chainId", "hub", "signer", "header", "event", "sigR", "sigVS", "postings", "own", "leafNo"],
  ...["lanePrevLeafNo", "totalPointsAfter", "path"],
];
const PATH_HASHES_MAX = 20;
const [POINTS, CASH, MEMBER] = [2, 3, 4];
const ADDS = [1, 4, 7, 8, 10, 15];
const TAKES = [2, 3, 5, 6, 11, 14];
const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const { StepError } = w;

/**
 * Every step's verdict: {steps: [{step, ok, problem}], ok, batchNo, headerHash, facts}. `ok` is true, false, or null for a
 * step that was not taken: one that failed came before, nothing was given to compare, or there is no `recover`.
 *
 * `shown`: fields as an app shows them, by their names in `facts`. `recover`: that of signature.js.
 */
export function check(receipt, { shown = null, recover = null } = {}) {
  const verdicts = new Map(STEPS.map((step) => [step, { step, ok: null, problem: "" }]));
  const passed = (step) => (verdicts.get(step).ok = true);
  const result = { ok: false, batchNo: null, headerHash: null, facts: null };
  try {
    run(receipt, shown, recover, passed, result);
    result.ok = true;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    Object.assign(verdicts.get(error.step), { ok: false, problem: error.message });
    if (error.step === "form") for (const each of verdicts.values()) if (each.step !== "form") each.ok = null;
  }
  return { ...result, steps: [...verdicts.values()] };
}

function run(receipt, shown, recover, passed, result) {
  w.only(receipt, FIELDS, "receipt");
  const [header, event] = [w.part(receipt, "header"), w.part(receipt, "event")];
  w.parse(w.BatchHeader, header);
  w.parse(w.PointsEvent, event);
  passed("form");
  if (checkSignature(receipt, event, recover)) passed("signature");
  const hashes = w.part(receipt, "postings");
  w.only(hashes, SLOTS, "postings");
  for (const slot of SLOTS) w.raw(hashes, slot);
  const posting = checkOwn(w.part(receipt, "own"), event, hashes);
  passed("posting");
  result.facts = { ...event, delta: posting.delta, balance: posting.balance, leafNo: receipt.leafNo, batchNo: header.batchNo };
  const { leafNo, lanePrevLeafNo, sigR, sigVS, totalPointsAfter } = receipt;
  const position = placeOf(receipt, header);
  passed("position");
  const leaf = { leafNo, lanePrevLeafNo, eventHash: w.toHex(w.hashStruct(w.PointsEvent, event)), sigR, sigVS, totalPointsAfter };
  for (const slot of SLOTS) leaf[`${slot}Posting`] = hashes[slot];
  const root = rootFromPath(w.hashStruct(w.SettlementLeaf, leaf), position, w.integer(header, "leafCount"), pathOf(receipt));
  if (!root || !w.equal(root, w.raw(header, "leavesRoot"))) throw new StepError("root", "the path does not lead to the batch's root");
  passed("root");
  if (shown !== null) compare(shown, result.facts);
  if (shown !== null) passed("shown");
  result.batchNo = header.batchNo;
  result.headerHash = w.toHex(w.hashStruct(w.BatchHeader, header));
}

function compare(shown, facts) {
  for (const [name, text] of Object.entries(shown)) {
    if (String(text) !== facts[name]) throw new StepError("shown", `${name} is shown as ${text}, the receipt says ${facts[name]}`);
  }
}

function checkSignature(receipt, event, recover) {
  const chain = w.word(w.integer(receipt, "chainId"), "uint256");
  const hub = w.concat(new Uint8Array(12), w.raw(receipt, "hub", 20));
  const [r, vs, signer] = [w.raw(receipt, "sigR"), w.raw(receipt, "sigVS"), w.raw(receipt, "signer", 20)];
  if (!recover) return false;
  const named = ["PointsAlliance", "1"].map((text) => keccak256(w.ascii(text)));
  const separator = keccak256(w.concat(keccak256(w.ascii(DOMAIN)), ...named, chain, hub));
  const digest = keccak256(w.concat(Uint8Array.of(0x19, 0x01), separator, w.hashStruct(w.PointsEvent, event)));
  const found = recover(digest, r, vs);
  if (!w.equal(found, signer)) throw new StepError("signature", `the event is signed by ${w.toHex(found)}, not by ${receipt.signer}`);
  return true;
}

/** The opened posting is the one in the leaf, on an account and with a change that follow from the event. */
function checkOwn(own, event, hashes) {
  w.only(own, ["slot", "posting"], "own");
  if (!SLOTS.includes(own.slot)) throw new StepError("form", "own has no such slot");
  const { slot, posting } = own;
  if (!w.equal(w.hashStruct(w.Posting, posting), w.raw(hashes, slot))) {
    throw new StepError("posting", `the opened posting is not the ${slot} posting of the leaf`);
  }
  if (w.integer(posting, "delta") !== changeOf(event, slot) || !belongs(w.raw(posting, "account"), event, slot)) {
    throw new StepError("posting", `account or change of the ${slot} posting do not follow from the event`);
  }
  return posting;
}

function changeOf(event, slot) {
  const kind = Number(event.kind);
  const points = w.integer(event, "points");
  if (slot === "issuer" || slot === "member") return ADDS.includes(kind) ? points : TAKES.includes(kind) ? -points : BigInt(0);
  const cash = w.integer(event, "settleAmount");
  return slot === "creditor" ? cash : -cash;
}

function belongs(account, event, slot) {
  if (slot !== "issuer") return account[0] === (slot === "member" ? MEMBER : CASH);
  const issuer = w.word(w.integer(event, "issuerId"), "uint32").slice(28);
  return w.equal(account, w.concat(Uint8Array.of(POINTS), issuer, new Uint8Array(27)));
}

/** The leaf's 0-based place in its batch. */
function placeOf(receipt, header) {
  const index = w.integer(receipt, "leafNo") - w.integer(header, "firstLeafNo");
  w.integer(receipt, "lanePrevLeafNo");
  w.integer(receipt, "totalPointsAfter");
  pathOf(receipt);
  if (index < 0 || index >= w.integer(header, "leafCount")) {
    throw new StepError("position", `leaf ${receipt.leafNo} is not among the ${header.leafCount} leaves from ${header.firstLeafNo} on`);
  }
  return index;
}

function pathOf(receipt) {
  const { path } = receipt;
  if (!Array.isArray(path) || path.length > PATH_HASHES_MAX) throw new StepError("form", `path is a list of at most ${PATH_HASHES_MAX} hashes`);
  return path.map((sibling) => w.raw({ path: sibling }, "path"));
}

/** RFC 9162 §2.1.3.2 with Keccak-256; null for no place of the tree, and when the path is a hash short or long. */
export function rootFromPath(item, index, size, path) {
  if (index < 0 || index >= size) return null;
  let [at, last] = [Number(index), Number(size) - 1];
  let node = keccak256(w.concat(Uint8Array.of(0x00), item));
  const join = (left, right) => keccak256(w.concat(Uint8Array.of(0x01), left, right));
  const up = () => ([at, last] = [Math.floor(at / 2), Math.floor(last / 2)]);
  for (const sibling of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      node = join(sibling, node);
      while (at % 2 === 0 && at !== 0) up();
    } else {
      node = join(node, sibling);
    }
    up();
  }
  return last === 0 ? node : null;
}
