// Proves once for a member who asked the server to: JSON on standard input, the response for the partner on standard
// output, exit code 0. A process of its own, so that what it was told ends with it; it writes no file and says nothing
// else. Exit codes: 3 the witness is not this secret's, 4 the policy does not admit it, 1 anything else.
//
//   node proofs/circuits/prover/assist.mjs FOLDER [--production] < input.json
//
//   {"secret": "..", "use_index": 0, "witness": {..}, "root": "..", "epoch_tag": "..", "request": {.. signed request ..}}

import { loaded } from "../build/manifest.mjs";
import { element, number, object } from "./decoding.js";
import { prove } from "./prove.js";
import { challengeOf, parseRequest } from "./request.js";
import { checkWitness, makeInput, parseWitness, policyOf, unmet } from "./witness.js";

const [NOT_THIS_SECRET, NOT_ADMITTED, FAILED] = [3, 4, 1];
const EPOCH_TAG_BITS = 64;

async function read(stream) {
  let text = "";
  for await (const piece of stream.setEncoding("utf8")) text += piece;
  return JSON.parse(text);
}

/** The numbers of the input, read strictly; every field there and no other. */
function parsed(form) {
  object(form, "input", ["secret", "use_index", "witness", "root", "epoch_tag", "request"]);
  return {
    secret: element(form.secret, "input.secret"),
    useIndex: number(form.use_index, "input.use_index", 8),
    witness: parseWitness(form.witness),
    root: element(form.root, "input.root"),
    epochTag: number(form.epoch_tag, "input.epoch_tag", EPOCH_TAG_BITS),
    asked: parseRequest(form.request),
  };
}

async function main(folder, production) {
  const { asked, ...told } = parsed(await read(process.stdin));
  if (!checkWitness(told.witness, told)) return NOT_THIS_SECRET;
  const { scope, policy } = asked.request;
  if (unmet(policyOf(policy), told.witness.attributes, told.useIndex)) return NOT_ADMITTED;
  const input = makeInput({ ...told, scope, policy, challenge: challengeOf(asked) });
  const { wasm, zkey } = loaded(folder, { production });
  process.stdout.write(JSON.stringify(await prove(input, { wasm, zkey })));
  return 0;
}

const [folder, flag] = process.argv.slice(2);
try {
  process.exitCode = await main(folder, flag === "--production");
} catch {
  process.exitCode = FAILED; // no words: they could hold a number of the input
}
process.stdout.write("", () => process.exit());
