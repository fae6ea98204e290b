// Strict reading of what comes over the wire, in the one form that each field has (proofs/tier/decoding.py): numbers of up
// to 32 bits are JSON integers, wider ones decimal strings, bytes 0x and lower-case hex. Everything becomes BigInt or text.

import { R } from "./poseidon.js";

const DECIMAL = /^(0|[1-9][0-9]{0,77})$/;
const TEXT_LETTERS_MAX = 200;
const UNPRINTED = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** A field that is missing, unknown, or of another form; `field` names it. */
export class DecodingError extends Error {
  constructor(field, problem) {
    super(`${field}: ${problem}`);
    this.field = field;
  }
}

const refuse = (field, problem) => {
  throw new DecodingError(field, problem);
};

/** The object under `where` if it has exactly these fields. */
export function object(form, where, names) {
  if (typeof form !== "object" || form === null || Array.isArray(form)) refuse(where, "an object is wanted");
  for (const name of Object.keys(form))
    if (!names.includes(name)) refuse(`${where}.${name.slice(0, 24)}`, "there is no such field");
  for (const name of names) if (!Object.hasOwn(form, name)) refuse(`${where}.${name}`, "is missing");
  return form;
}

/** A number of `bits` bits: up to 32 a JSON integer, above a decimal string. */
export function number(value, where, bits) {
  const asInteger = bits <= 32;
  const formed = asInteger
    ? Number.isInteger(value) && !Object.is(value, -0)
    : typeof value === "string" && DECIMAL.test(value);
  if (!formed) refuse(where, asInteger ? "an integer is wanted" : "a decimal string is wanted");
  const found = BigInt(value);
  return BigInt.asUintN(bits, found) === found ? found : refuse(where, `does not fit ${bits} bits`);
}

export function element(value, where) {
  const found = number(value, where, 256);
  return found < R ? found : refuse(where, "is not below the order of the field");
}

export function hex(value, where, size = 32) {
  return typeof value === "string" && value.length === 2 + 2 * size && /^0x[0-9a-f]*$/.test(value)
    ? value
    : refuse(where, `0x and ${2 * size} lower-case hex digits are wanted`);
}

/** A line that a person can be shown: letters that print, in composed form; none that turns the others around. */
export function text(value, where) {
  if (typeof value !== "string" || !value || [...value].length > TEXT_LETTERS_MAX)
    refuse(where, `a text of 1 to ${TEXT_LETTERS_MAX} letters is wanted`);
  if (UNPRINTED.test(value) || value.normalize("NFC") !== value)
    refuse(where, "holds letters that do not print, or are not composed (NFC)");
  return value;
}

export function list(value, where, length) {
  return Array.isArray(value) && value.length === length ? value : refuse(where, `a list of ${length} is wanted`);
}
