// Signed structs (EIP-712) of the tier registry's domain: digests, and who signed them. Values come in as BigInt for
// numbers, lower-case 0x-hex for bytes32 and addresses, and text.

import { keccak256 } from "../../js/keccak.js";
import { recover } from "../../js/signature.js";
import { ascii, concat, fromHex, toHex } from "../../js/words.js";
import { utf8 } from "./statement.js";

const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const NAME = "Tongdui Tier";
const VERSION = "1";
const SIGNATURE_BYTES = 65;
const PARITY = { 27: 0n, 28: 1n };

const fieldsOf = (type) =>
  type
    .slice(type.indexOf("(") + 1, -1)
    .split(",")
    .map((field) => field.split(" "));

/** One 32-byte word; throws on a value that its type does not hold. */
function word(kind, name, value) {
  if (kind === "string") return keccak256(utf8(value));
  if (kind === "bytes32" || kind === "address") {
    const size = kind === "address" ? 20 : 32;
    if (typeof value !== "string" || !new RegExp(`^0x[0-9a-f]{${2 * size}}$`).test(value))
      throw new RangeError(`${name} is no ${kind}`);
    return fromHex("0x" + value.slice(2).padStart(64, "0"));
  }
  const bits = Number(kind.slice("uint".length));
  if (typeof value !== "bigint" || BigInt.asUintN(bits, value) !== value) throw new RangeError(`${name} is no ${kind}`);
  return fromHex("0x" + value.toString(16).padStart(64, "0"));
}

export function structHash(type, values) {
  return keccak256(concat(keccak256(ascii(type)), ...fieldsOf(type).map(([kind, name]) => word(kind, name, values[name]))));
}

/** What is signed: the struct in the domain of this registry on this chain. */
export function digest(type, values, { chainId, registry }) {
  const domain = structHash(DOMAIN, {
    name: NAME,
    version: VERSION,
    chainId: BigInt(chainId),
    verifyingContract: registry.toLowerCase(),
  });
  return keccak256(concat(Uint8Array.of(0x19, 0x01), domain, structHash(type, values)));
}

/** The address behind a signature of 65 bytes (r, s, v with v of 27 or 28); throws where there is none. */
export function signer(hash, signature) {
  if (typeof signature !== "string" || !new RegExp(`^0x[0-9a-f]{${2 * SIGNATURE_BYTES}}$`).test(signature)) {
    throw new RangeError(`a signature of ${SIGNATURE_BYTES} bytes is wanted`);
  }
  const bytes = fromHex(signature);
  const parity = PARITY[bytes[64]];
  if (parity === undefined || bytes[32] & 0x80) throw new RangeError("the signature is in another form than r, s, v");
  const s = BigInt(toHex(bytes.subarray(32, 64))) | (parity << 255n);
  return toHex(recover(hash, bytes.subarray(0, 32), fromHex("0x" + s.toString(16).padStart(64, "0"))));
}
