// The file of powers of tau that a ceremony stands on. It comes from elsewhere, so it is named by its hash: what does not
// have the hash that stands in powers.json is not opened by anything else. Then its own proofs are checked. A rehearsal
// takes any powers, and what comes of it says so.

import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { powersOfTau } from "snarkjs";
import { blake2b512 } from "../build/keys.mjs";

const MAGIC = "ptau";
const PEEK_BYTES = 64;

/** What may not be used as powers of tau, and why. */
export class PowersRefused extends Error {}

export const pinned = () => JSON.parse(readFileSync(join(import.meta.dirname, "powers.json"), "utf8"));

/** Stands for the list of pins where any powers will do. */
export const REHEARSAL = Symbol("rehearsal");

/** The pin that the file at `path` is, by its hash. Throws PowersRefused, saying what the file is instead. */
export async function pinOf(path, pins) {
  if (!path) throw new PowersRefused(`ZK_PTAU_FILE names no file of powers of tau; this is wanted:\n  ${listed(pinned())}`);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new PowersRefused(`${path}, which is to hold the powers of tau, is not there`);
  const start = beginning(path);
  if (/^\s*<(!doctype|html|\?xml)/i.test(start)) {
    throw new PowersRefused(
      `${path} is a web page and no powers of tau: the server that it was asked of answered with a page, an error perhaps. Fetch it again`,
    );
  }
  if (!start.startsWith(MAGIC))
    throw new PowersRefused(`${path} is no powers of tau: it begins with ${JSON.stringify(start.slice(0, 16))}`);
  const hash = await blake2b512(path);
  if (pins === REHEARSAL) {
    const origin = "powers of a rehearsal, for which nobody stands: what is exported over them says dev";
    return { file: basename(path), bytes: size, blake2b512: hash, origin, rehearsal: true };
  }
  const found = pins.find((pin) => pin.blake2b512 === hash);
  if (!found)
    throw new PowersRefused(`${path} (${size} bytes) has the BLAKE2b-512\n  ${hash}\nand none that is known:\n  ${listed(pins)}`);
  return found;
}

const listed = (pins) => pins.map((pin) => `${pin.file} (${pin.bytes} bytes) ${pin.blake2b512}`).join("\n  ");

function beginning(path) {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(PEEK_BYTES);
    return bytes.toString("latin1", 0, readSync(file, bytes, 0, PEEK_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

/** The pin again, once the file's own proofs (each contribution on the one before) hold too. */
export async function checkedPowers(path, pins, logger) {
  const pin = await pinOf(path, pins);
  if (!(await powersOfTau.verify(path, logger)))
    throw new PowersRefused(`${path}: its contributions do not follow from each other`);
  return pin;
}
