// Typed structs as runs of 32-byte words, from their JSON form: the encoding that Solidity and Python hash too.
//
// A struct is its EIP-712 type string; integers are decimal strings, everything else lower-case 0x-hex, and there is one
// way of writing each value (proofs/json_form.py, proofs/words.py are the same in Python). BigInt carries integers.

import { keccak256 } from "./keccak.js";

export const PointsEvent =
  "PointsEvent(uint8 kind,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 occurredAt,uint32 issuerId," +
  "bytes32 memberRef,uint64 points,uint32 termsId,uint128 settleAmount,bytes32 refEventId,uint32 campaignId," +
  "uint8 level,uint128 basis,bytes32 detailHash)";
export const Posting = "Posting(bytes32 account,uint64 seq,uint64 prevLeafNo,int128 delta,int128 balance,bytes32 salt)";
export const SettlementLeaf =
  "SettlementLeaf(uint64 leafNo,uint64 lanePrevLeafNo,bytes32 eventHash,bytes32 sigR,bytes32 sigVS," +
  "bytes32 issuerPosting,bytes32 debtorPosting,bytes32 creditorPosting,bytes32 memberPosting,int128 totalPointsAfter)";
export const BatchHeader =
  "BatchHeader(uint64 batchNo,bytes32 prevHeaderHash,uint64 firstLeafNo,uint32 leafCount,bytes32 leavesRoot," +
  "uint32 accountsCount,bytes32 accountsRoot,bytes32 historyRoot,bytes32 journalHead,int128 totalPoints," +
  "bytes32 netsHash,uint64 netsSinceBatch,bytes32 dataHash,bytes32 blobHash,uint64 openedAt,uint64 sealedAt," +
  "bytes32 configHash)";

/** What fails, and at which step of a check. */
export class StepError extends Error {
  constructor(step, problem) {
    super(problem);
    this.step = step;
  }
}

const formError = (name, problem) => new StepError("form", `${name}: ${problem}`);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const own = (form, name) => (Object.prototype.hasOwnProperty.call(form, name) ? form[name] : undefined);

/** The object under `name`. */
export function part(form, name) {
  const value = own(form, name);
  if (!isObject(value)) throw formError(name, "an object is wanted");
  return value;
}

/** Refuse an object that has not exactly these fields. */
export function only(form, names, of) {
  if (!isObject(form)) throw formError(of, "an object is wanted");
  const odd = [...Object.keys(form).filter((name) => !names.includes(name)), ...names.filter((name) => own(form, name) === undefined)];
  if (odd.length) throw formError(of, `fields missing or unknown: ${odd.sort().join(", ")}`);
}

/** The BigInt that the decimal string under `name` stands for. */
export function integer(form, name) {
  const text = own(form, name);
  if (typeof text !== "string" || !/^(0|-?[1-9][0-9]{0,77})$/.test(text)) throw formError(name, "a decimal string is wanted");
  return BigInt(text);
}

/** The bytes that the 0x-hex string under `name` stands for. */
export function raw(form, name, size = 32) {
  const text = own(form, name);
  if (typeof text !== "string" || text.length !== 2 + 2 * size || !/^0x[0-9a-f]*$/.test(text)) {
    throw formError(name, `0x and ${2 * size} lower-case hex digits are wanted`);
  }
  return fromHex(text);
}

export function fromHex(text) {
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(text.slice(2 + 2 * at, 4 + 2 * at), 16);
  return bytes;
}

export function toHex(bytes) {
  let text = "0x";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    out.set(each, at);
    at += each.length;
  }
  return out;
}

export const equal = (left, right) => left.length === right.length && left.every((byte, at) => byte === right[at]);
export const ascii = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** A word holding an integer; `type` is a Solidity type and bounds it. */
export function word(value, type) {
  const bits = Number(type.replace(/\D/g, ""));
  const fits = type.startsWith("u") ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
  if (fits !== value) throw new StepError("form", `${value} does not fit ${type}`);
  return fromHex("0x" + BigInt.asUintN(256, value).toString(16).padStart(64, "0"));
}

/** (type, name) of each field of a type string, in order. */
const fieldsOf = (type) =>
  type
    .slice(type.indexOf("(") + 1, -1)
    .split(",")
    .map((field) => field.split(" "));

/** Refuse a form that is not exactly this struct; every value is looked at. */
export function parse(type, form) {
  const fields = fieldsOf(type);
  only(form, fields.map(([, name]) => name), type.slice(0, type.indexOf("(")));
  return fields.map(([kind, name]) => (kind === "bytes32" ? raw(form, name) : word(integer(form, name), kind)));
}

/** hashStruct: keccak256(type hash, words). */
export const hashStruct = (type, form) => keccak256(concat(keccak256(ascii(type)), ...parse(type, form)));
