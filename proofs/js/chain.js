// The last steps of a member's check: does the hub hold this header, as nodes of different people say?
//
//   chain   at least two nodes hold the same header hash under this batch number, at this hub on this chain
//   status  final, or still pending in its window
//
// Only finalised blocks are believed: what a newer block shows may be gone again. A header that only the newest block
// has is not seen yet, which is null and not false. A node is a function (method, params) => result; `node(url)` makes
// one from an address, a mini-program gives its own, each of somebody else. A node that cannot be asked proves nothing:
// null again.

import { keccak256 } from "./keccak.js";
import { ascii, fromHex, concat, toHex, word } from "./words.js";

export const NODES_MIN = 2;
const [FINALISED, NEWEST] = ["finalized", "latest"];
const ANSWER_MS_MAX = 10000;

/** A node behind an http(s) address. */
export function node(url, fetcher = fetch) {
  return async (method, params) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ANSWER_MS_MAX);
    try {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
      const headers = { "content-type": "application/json" };
      const answer = await fetcher(url, { method: "POST", headers, body, signal: abort.signal, credentials: "omit" });
      const told = await answer.json();
      if (told.error || told.result === undefined) throw new Error("the node refuses the question");
      return told.result;
    } finally {
      clearTimeout(timer);
    }
  };
}

/** The verdicts of `chain` and `status` for what `check` found in a receipt: [{step, ok, problem, final}]. */
export async function confirm(receipt, checked, nodes) {
  const answers = await Promise.all(nodes.map((ask) => asked(ask, receipt, checked).catch((error) => ({ problem: error.message }))));
  const wrong = answers.find((answer) => answer.told);
  const good = answers.filter((answer) => answer.holds);
  const chain = { step: "chain", ok: null, problem: "" };
  const status = { step: "status", ok: null, problem: "", final: null };
  if (wrong) Object.assign(chain, { ok: false, problem: wrong.told });
  else if (good.length < NODES_MIN) {
    const silent = answers.find((answer) => answer.problem);
    chain.problem = `${good.length} of at least ${NODES_MIN} nodes hold it${silent ? `; one says: ${silent.problem}` : ""}`;
  } else chain.ok = true;
  if (chain.ok) {
    status.final = good.every((answer) => answer.final);
    Object.assign(status, { ok: true, problem: status.final ? "final" : "pending: its challenge window is open" });
  }
  return [chain, status];
}

async function asked(ask, receipt, { batchNo, headerHash }) {
  const chainId = BigInt(await ask("eth_chainId", []));
  if (chainId !== BigInt(receipt.chainId)) return { told: `a node is of chain ${chainId}, the receipt of ${receipt.chainId}` };
  const number = word(BigInt(batchNo), "uint64");
  const call = (block, signature, ...words) =>
    ask("eth_call", [{ to: receipt.hub, data: toHex(concat(keccak256(ascii(signature)).slice(0, 4), ...words)) }, block]);
  const held = await call(FINALISED, "headerHash(uint64)", number);
  if (held !== headerHash) {
    const newest = await call(NEWEST, "headerHash(uint64)", number);
    if (newest === headerHash) return { problem: "its block is not final yet, ask again in some minutes" };
    return { told: `the hub holds ${held} for batch ${batchNo}` };
  }
  const final = await call(FINALISED, "isFinal(uint64,bytes32)", number, fromHex(headerHash));
  return { holds: true, final: BigInt(final) === BigInt(1) };
}
