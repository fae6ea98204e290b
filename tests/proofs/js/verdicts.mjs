// For the comparison with Python: a JSON list of [receipt, shown] on standard input, and out a list of the header hash or
// the step at which each fails. Signatures that come again are not computed again.
import { check } from "../../../proofs/js/receipt.js";
import { recover } from "../../../proofs/js/signature.js";
import { toHex } from "../../../proofs/js/words.js";

const known = new Map();
function remembered(...signed) {
  const key = signed.map(toHex).join();
  if (!known.has(key)) {
    try {
      known.set(key, { signer: recover(...signed) });
    } catch (error) {
      known.set(key, { error });
    }
  }
  const found = known.get(key);
  if (found.error) throw found.error;
  return found.signer;
}

let text = "";
for await (const piece of process.stdin.setEncoding("utf8")) text += piece;
const verdicts = JSON.parse(text).map(([receipt, shown]) => {
  const checked = check(receipt, { recover: remembered, shown });
  return checked.ok ? checked.headerHash : checked.steps.find((each) => each.ok === false).step;
});
process.stdout.write(JSON.stringify(verdicts));
