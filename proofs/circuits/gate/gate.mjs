// The gate of the circuit: whether its sources leave a prover any choice. Four opinions, none of which knows the others:
// the propagation over the unsimplified constraints, the assignments in the sources, circomspect, and the compiler's own
// inspection; beside them, whether every public input stands in a constraint.
//
//   node proofs/circuits/gate/gate.mjs        # what each finds; exit code 1 when one objects

import { analysed, compile, ownSources, warnings } from "../build/compile.mjs";
import { looseArrows, unexpected } from "./arrows.mjs";
import { undetermined } from "./propagation.mjs";
import { parse } from "./r1cs.mjs";

const SHOWN_MAX = 10;

/** Names of wires from the compiler's list: label, wire, component, name on each line. */
export function namesOf(sym) {
  const names = new Map();
  for (const line of sym.toString("utf8").trimEnd().split("\n")) {
    const [, wire, , name] = line.split(",");
    if (!names.has(Number(wire))) names.set(Number(wire), name);
  }
  return names;
}

/** Public inputs that stand in no constraint: a proof would fit any value of theirs. */
export function unboundInputs(system) {
  const used = new Set(system.constraints.flatMap((sums) => sums.flatMap((sum) => [...sum.keys()])));
  return Array.from({ length: system.publicInputs }, (_, i) => 1 + system.outputs + i).filter((wire) => !used.has(wire));
}

/** What each opinion objects to in `sources` (ours by default): { propagation, arrows, analysis, inspection, inputs }. */
export function objections({ main, sources = {} } = {}) {
  const plain = compile({ main, sources, level: "O0", wasm: false });
  const names = namesOf(plain.sym);
  const system = parse(plain.r1cs);
  const started = performance.now();
  const loose = undetermined(system).map((wire) => names.get(wire) ?? `wire ${wire}`);
  return {
    propagation: loose,
    arrows: looseArrows({ ...ownSources(), ...sources }),
    analysis: unexpected(analysed(sources)),
    inspection: warnings(plain.said),
    inputs: unboundInputs(system).map((wire) => names.get(wire)),
    about: { constraints: system.count, wires: system.wires, milliseconds: Math.round(performance.now() - started) },
  };
}

export const WORDS = {
  propagation: "signals that the inputs do not determine",
  arrows: "assignments without a constraint, by source",
  analysis: "warnings of circomspect beyond the expected",
  inspection: "warnings of the compiler's inspection",
  inputs: "public inputs in no constraint",
};

function listed(found) {
  const more = found.length - SHOWN_MAX;
  return found.length
    ? [`${found.length}`, ...found.slice(0, SHOWN_MAX), ...(more > 0 ? [`and ${more} more`] : [])].join("\n    ")
    : "none";
}

function main() {
  const found = objections();
  const { constraints, wires, milliseconds } = found.about;
  console.log(`gate: ${constraints} constraints over ${wires} wires, looked through in ${milliseconds} ms`);
  for (const [name, words] of Object.entries(WORDS)) console.log(`  ${words}: ${listed(found[name])}`);
  process.exitCode = Object.keys(WORDS).some((name) => found[name].length) ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) main();
