// Whether every signal of a circuit follows from its inputs, so that a prover has no choice left: a search for signals
// that could take a second value while all inputs and all constraints stay the same.
//
// Known are the constant and the inputs. A constraint makes a further wire known when nothing else in it is unknown and
// the wire stands in it linearly, with a coefficient that is a constant other than zero. A linear constraint whose unknown
// wires are all held to 0 or 1 and carry different powers of two makes them all known (bits of a known value). This is
// sound and not complete: what it calls determined is, what it does not may still be. It is run on the system without
// simplification, where every assignment of the source has its own constraint.

const POWER_MAX = 252n; // 2^253 - 1 < prime: sums of these powers never wrap

/** The wires, beyond the inputs, that nothing determines: empty when the circuit leaves a prover no choice. */
export function undetermined(system) {
  const { prime } = system;
  const known = new Uint8Array(system.wires);
  known.fill(1, 0, 1);
  const firstInput = 1 + system.outputs;
  known.fill(1, firstInput, firstInput + system.publicInputs + system.privateInputs);
  const booleans = booleanWires(system);
  const forms = system.constraints.map((constraint) => formOf(constraint, prime));
  const byWire = usesOf(forms, system.wires);

  const waiting = forms.map((_, index) => index);
  const queued = new Uint8Array(forms.length).fill(1);
  while (waiting.length) {
    const index = waiting.pop();
    queued[index] = 0;
    for (const wire of learnt(forms[index], known, booleans, prime)) {
      known[wire] = 1;
      for (const next of byWire[wire]) {
        if (!queued[next]) waiting.push(next);
        queued[next] = 1;
      }
    }
  }
  return [...known.keys()].filter((wire) => !known[wire]);
}

/** A constraint as `linear`, the wires whose coefficients are constants, and `bound`, those inside a product. */
function formOf([a, b, c], prime) {
  const [left, right] = [constantOf(a), constantOf(b)];
  if (left !== undefined) return { linear: combined(b, left, c, prime), bound: [] };
  if (right !== undefined) return { linear: combined(a, right, c, prime), bound: [] };
  return { linear: c, bound: [...new Set([...a.keys(), ...b.keys()])] };
}

/** The value of a sum that holds no wire but the constant; undefined for any other. */
function constantOf(sum) {
  if (sum.size === 0) return 0n;
  return sum.size === 1 && sum.has(0) ? sum.get(0) : undefined;
}

/** factor * sum - less, without the wires that cancel. */
function combined(sum, factor, less, prime) {
  const terms = new Map();
  const add = (wire, value) => terms.set(wire, ((terms.get(wire) ?? 0n) + value) % prime);
  for (const [wire, value] of sum) add(wire, factor * value);
  for (const [wire, value] of less) add(wire, prime - value);
  for (const [wire, value] of terms) if (value === 0n) terms.delete(wire);
  return terms;
}

function usesOf(forms, wires) {
  const uses = Array.from({ length: wires }, () => []);
  forms.forEach(({ linear, bound }, index) => {
    for (const wire of linear.keys()) uses[wire].push(index);
    for (const wire of bound) uses[wire].push(index);
  });
  return uses;
}

/** What one constraint adds to what is known. */
function learnt({ linear, bound }, known, booleans, prime) {
  if (bound.some((wire) => !known[wire])) return [];
  const unknown = [...linear].filter(([wire]) => !known[wire]);
  if (unknown.length < 2) return unknown.map(([wire]) => wire);
  const areBits =
    unknown.every(([wire]) => booleans.has(wire)) &&
    differentPowers(
      unknown.map(([, value]) => value),
      prime,
    );
  return areBits ? unknown.map(([wire]) => wire) : [];
}

/** Whether the coefficients, all of one sign, are different powers of two that sum to less than the prime. */
function differentPowers(values, prime) {
  const sides = [values, values.map((value) => prime - value)];
  return sides.some((side) => new Set(side).size === side.length && side.every(isPower));
}

const isPower = (value) => value > 0n && (value & (value - 1n)) === 0n && value <= 1n << POWER_MAX;

/** Wires that stand in a constraint of the form w * (w - 1) = 0. */
function booleanWires({ constraints, prime }) {
  const found = new Set();
  for (const [a, b, c] of constraints) {
    if (c.size !== 0) continue;
    for (const [one, other] of [
      [a, b],
      [b, a],
    ]) {
      const [wire] = one.keys();
      if (one.size === 1 && wire !== 0 && other.size === 2 && other.has(0) && sameAndOpposite(other, wire, prime))
        found.add(wire);
    }
  }
  return found;
}

const sameAndOpposite = (sum, wire, prime) => sum.has(wire) && (sum.get(wire) + sum.get(0)) % prime === 0n;
