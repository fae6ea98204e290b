// Reads a constraint system as the compiler writes it: every constraint is A * B = C, and each of the three is a sum of
// coefficients times wires. Wire 0 is the constant one; then outputs, public inputs, private inputs and what lies between.

const MAGIC = "r1cs";
const VERSION = 1;
const HEADER = 1;
const CONSTRAINTS = 2;

/** @typedef {Map<number, bigint>} Sum coefficients in (0, prime) by wire */

/** The system in `bytes`: its prime, its wires by kind, and its constraints as [A, B, C]. Throws on another format. */
export function parse(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== MAGIC || view.getUint32(4, true) !== VERSION)
    throw new Error(`no constraint system: ${JSON.stringify(magic)}`);
  const sections = sectionsOf(view);
  const header = headerAt(view, sections.get(HEADER));
  return { ...header, constraints: constraintsAt(view, sections.get(CONSTRAINTS), header) };
}

function sectionsOf(view) {
  const found = new Map();
  let at = 12;
  for (let left = view.getUint32(8, true); left > 0; left--) {
    found.set(view.getUint32(at, true), at + 12);
    at += 12 + Number(view.getBigUint64(at + 4, true));
  }
  return found;
}

function headerAt(view, at) {
  const size = view.getUint32(at, true);
  const numbers = at + 4 + size;
  const [wires, outputs, publicInputs, privateInputs] = [0, 4, 8, 12].map((offset) =>
    view.getUint32(numbers + offset, true),
  );
  return {
    size,
    prime: littleEndian(view, at + 4, size),
    wires,
    outputs,
    publicInputs,
    privateInputs,
    count: view.getUint32(numbers + 24, true),
  };
}

function constraintsAt(view, start, { size, count }) {
  let at = start;
  const sum = () => {
    const terms = new Map();
    const end = at + 4 + view.getUint32(at, true) * (4 + size);
    for (at += 4; at < end; at += 4 + size) terms.set(view.getUint32(at, true), littleEndian(view, at + 4, size));
    return terms;
  };
  return Array.from({ length: count }, () => [sum(), sum(), sum()]);
}

function littleEndian(view, at, size) {
  let value = 0n;
  for (let word = size - 8; word >= 0; word -= 8) value = (value << 64n) | view.getBigUint64(at + word, true);
  return value;
}
