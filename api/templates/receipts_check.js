// The page that checks a receipt: what was pasted goes through the steps of receipt.js and chain.js, and each step is
// shown green, red or open. Nothing of the receipt leaves the browser but its batch number, to the nodes that were named.

import { confirm, node } from "./chain.js";
import { STEPS, check } from "./receipt.js";
import { recover } from "./signature.js";

const RECEIPT_LETTERS_MAX = 200000;
const WORDS = {
  form: "It is a receipt 凭证完整",
  signature: "The merchant signed this event 商户已签名",
  posting: "The posting is yours and follows from the event 记账与事件相符",
  position: "Its number is in the batch 编号在批次内",
  root: "It stands under the batch's root 在批次的默克尔根之下",
  shown: "What is shown below is what it says 显示与凭证一致",
  chain: "Two nodes hold this batch on the chain 链上一致",
  status: "Its state on the chain 链上状态",
};
const SHOWN = ["kind", "merchantId", "issuerId", "points", "settleAmount", "occurredAt", "delta", "balance", "batchNo", "leafNo"];
const $ = (id) => document.getElementById(id);

function show(steps) {
  $("steps").replaceChildren(
    ...steps.map(({ step, ok, problem }) => {
      const line = document.createElement("li");
      line.dataset.step = step;
      line.className = ok === true ? "good" : ok === false ? "bad" : "open";
      line.textContent = `${ok === true ? "✓" : ok === false ? "✗" : "·"} ${WORDS[step]}${problem ? `: ${problem}` : ""}`;
      return line;
    }),
  );
}

function showFacts(facts) {
  $("says").hidden = facts === null;
  $("facts").replaceChildren(
    ...(facts === null ? [] : SHOWN).map((name) => {
      const row = document.createElement("tr");
      row.dataset.fact = name;
      for (const text of [name, facts[name]]) row.appendChild(document.createElement("td")).textContent = text;
      return row;
    }),
  );
}

/** What the page shows now, for comparing with the receipt. */
const displayed = () => Object.fromEntries([...$("facts").rows].map((row) => [row.dataset.fact, row.cells[1].textContent]));

function pasted() {
  const text = $("receipt").value.trim();
  if (text.length > RECEIPT_LETTERS_MAX) return null;
  try {
    const told = JSON.parse(text);
    return told && told.proof ? told.proof : told;
  } catch {
    return null;
  }
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

/** One address of each host: the same node named twice is one node. */
const ofDifferentHosts = (urls) => [...new Map(urls.map((url) => [hostOf(url), url])).values()];

async function run() {
  const receipt = pasted();
  showFacts(check(receipt, { recover }).facts);
  const checked = check(receipt, { recover, shown: displayed() });
  if (!checked.ok) showFacts(null);
  const open = ["chain", "status"].map((step) => ({ step, ok: null, problem: "" }));
  show([...checked.steps, ...open]);
  const nodes = ofDifferentHosts($("nodes").value.split(/\s+/).filter(Boolean)).map((url) => node(url));
  const onChain = checked.ok ? await confirm(receipt, checked, nodes) : open;
  const steps = [...checked.steps, ...onChain];
  show(steps);
  const bad = steps.find((each) => each.ok === false);
  const verdict = bad ? `fails at: ${bad.step}` : steps.every((each) => each.ok) ? "proven" : "fits together, not seen on the chain";
  $("verdict").textContent = verdict;
}

show([...STEPS, "chain", "status"].map((step) => ({ step, ok: null, problem: "" })));
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  $("verdict").textContent = "…";
  run().catch((error) => ($("verdict").textContent = `fails: ${error.message}`));
});
document.documentElement.dataset.ready = "yes";
