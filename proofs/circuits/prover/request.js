// A partner's request for a proof: { request, chain_id, registry, signature } as it travels, read strictly; its digest,
// its challenge, the scope that its own words give, and whose signature it bears.

import { toHex } from "../../js/words.js";
import { DecodingError, element, hex, number, object, text } from "./decoding.js";
import { asField, scope } from "./statement.js";
import { digest, signer } from "./typed.js";
import { keccak256 } from "../../js/keccak.js";

export const REQUEST_TYPE =
  "ProofRequest(uint32 partnerId,string audience,string purpose,uint32 windowId,uint256 scope,uint256 policy,uint32 epoch," +
  "bytes32 circuitId,bytes32 nonce,uint64 expiresAt,uint8 maxUses,address recipient)";
const FIELDS = REQUEST_TYPE.slice(REQUEST_TYPE.indexOf("(") + 1, -1)
  .split(",")
  .map((field) => field.split(" "));
const SIGNATURE_BYTES = 65;
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function value(kind, form, where) {
  if (kind === "string") return text(form, where);
  if (kind === "bytes32") return hex(form, where);
  if (kind === "address") return hex(form, where, 20);
  return kind === "uint256" ? element(form, where) : number(form, where, Number(kind.slice("uint".length)));
}

/** The request as it is signed (names of the type string), where it is signed for, and its signature. */
export function parseRequest(form) {
  object(form, "form", ["request", "chain_id", "registry", "signature"]);
  const told = object(
    form.request,
    "request",
    FIELDS.map(([, name]) => snake(name)),
  );
  return {
    request: Object.fromEntries(
      FIELDS.map(([kind, name]) => [name, value(kind, told[snake(name)], `request.${snake(name)}`)]),
    ),
    chainId: chainNumber(form.chain_id),
    registry: hex(form.registry, "form.registry", 20),
    signature: hex(form.signature, "form.signature", SIGNATURE_BYTES),
  };
}

function chainNumber(value) {
  if (!Number.isSafeInteger(value) || value < 1) throw new DecodingError("form.chain_id", "a whole number is wanted");
  return BigInt(value);
}

export const digestOf = ({ request, chainId, registry }) => digest(REQUEST_TYPE, request, { chainId, registry });

/** What a proof answers: the digest of the request as a field element. */
export const challengeOf = (parsed) => asField(keccak256(digestOf(parsed)));

/** The address that signed; throws where there is none. */
export const signerOf = (parsed) => signer(digestOf(parsed), parsed.signature);

/** The scope that belongs to the request's partner, purpose and window: another one in the request is a foreign one. */
export const scopeOf = ({ request, chainId, registry }) => scope({ ...request, chainId, registry });

export const digestHex = (parsed) => toHex(digestOf(parsed));
