// For the comparison with Python: a JSON list of { policy, tier_names } on standard input, `policy` packed as a decimal
// string, and out what a wallet's owner is told of each.
import { policyOf } from "../../../proofs/circuits/prover/witness.js";
import { inWords } from "../../../proofs/circuits/prover/words.js";

let text = "";
for await (const piece of process.stdin.setEncoding("utf8")) text += piece;
const said = ({ policy, tier_names: names }) => inWords(policyOf(BigInt(policy)), names);
process.stdout.write(JSON.stringify(JSON.parse(text).map(said)));
