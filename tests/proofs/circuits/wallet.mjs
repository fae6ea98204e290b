// For the comparison with Python: a JSON list of { asked, known, now, use_index, tier_names } on standard input, and out
// what the wallet's check says of each: the field of a DecodingError, a refusal, or what the owner is shown.
import { checkRequest } from "../../../proofs/circuits/prover/consent.js";
import { DecodingError } from "../../../proofs/circuits/prover/decoding.js";
import { parseHeader } from "../../../proofs/circuits/prover/header.js";
import { parseRequest } from "../../../proofs/circuits/prover/request.js";

function known(form) {
  const { attributes } = form;
  return {
    chainId: BigInt(form.chain_id),
    registry: form.registry,
    partnerKey: form.partner_key,
    epochKey: form.epoch_key,
    anchoredRoot: BigInt(form.anchored_root),
    epoch: parseHeader(form.epoch),
    grid: form.grid,
    cohorts: form.cohorts,
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, BigInt(value)])),
    answeredScopes: form.answered_scopes.map(BigInt),
    askedBefore: form.asked_before.map(([question, epoch]) => ({ question: BigInt(question), epoch: BigInt(epoch) })),
  };
}

function verdict({ asked, known: form, now, use_index: useIndex, tier_names: tierNames }) {
  try {
    return checkRequest(parseRequest(asked), known(form), { now: BigInt(now), useIndex: BigInt(useIndex), tierNames });
  } catch (error) {
    if (!(error instanceof DecodingError)) throw error;
    return { unread: error.field };
  }
}

let text = "";
for await (const piece of process.stdin.setEncoding("utf8")) text += piece;
const plain = (_, value) => (typeof value === "bigint" ? Number(value) : value);
process.stdout.write(JSON.stringify(JSON.parse(text).map(verdict), plain));
