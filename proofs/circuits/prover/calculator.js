// The witness of a circuit, by the WebAssembly that its compiler wrote: inputs in, the values of all signals out, in the
// form (.wtns) that the prover reads. A platform that loads WebAssembly in its own way hands in `instantiate`.

const VERSION = 2;
const MESSAGES = {
  1: "signal-unknown",
  2: "too-many-signals",
  3: "signal-set-twice",
  4: "constraint-fails",
  5: "out-of-memory",
  6: "signal-too-long",
};

/** No witness exists: `reason` says what failed, `where` names the template and line for a constraint. */
export class NoWitness extends Error {
  constructor(reason, where = "") {
    super(where ? `${reason}: ${where}` : reason);
    this.reason = reason;
    this.where = where;
  }
}

const standard = async (bytes, imports) => (await WebAssembly.instantiate(bytes, imports)).instance;

/** A calculator of witnesses: `wasm` is what `instantiate` takes, bytes by default. */
export async function calculator(wasm, instantiate = standard) {
  let said = [];
  let exports;
  const message = () => {
    let text = "";
    for (let code = exports.getMessageChar(); code !== 0; code = exports.getMessageChar()) text += String.fromCharCode(code);
    return text;
  };
  const runtime = {
    exceptionHandler: (code) => {
      throw new NoWitness(MESSAGES[code] ?? "unknown", said.join("; "));
    },
    printErrorMessage: () => said.push(message()),
    writeBufferMessage: () => message(),
    showSharedRWMemory: () => {},
  };
  exports = (await instantiate(wasm, { runtime })).exports;
  if (exports.getVersion() !== VERSION) throw new Error(`a witness calculator of version ${VERSION} is wanted`);
  return (input) => {
    said = [];
    exports.init(1);
    setInputs(exports, input);
    return wtns(exports);
  };
}

/** The hash by which the calculator knows a signal's name (FNV-1a, 64 bits), as its two halves. */
function nameHash(name) {
  let hash = 0xcbf29ce484222325n;
  for (const letter of name) hash = BigInt.asUintN(64, (hash ^ BigInt(letter.charCodeAt(0))) * 0x100000001b3n);
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}

function setInputs(exports, input) {
  const words = exports.getFieldNumLen32();
  let set = 0;
  for (const [name, given] of Object.entries(input)) {
    const values = [given].flat();
    const [high, low] = nameHash(name);
    const size = exports.getInputSignalSize(high, low);
    if (size < 1) throw new NoWitness("signal-unknown", name);
    if (size !== values.length) throw new NoWitness("signal-length", `${name} has ${size}, not ${values.length}`);
    values.forEach((value, i) => {
      for (let word = 0; word < words; word++)
        exports.writeSharedRWMemory(word, Number((value >> BigInt(32 * word)) & 0xffffffffn));
      exports.setInputSignal(high, low, i);
      set += 1;
    });
  }
  if (set < exports.getInputSize()) throw new NoWitness("signal-missing", `${set} of ${exports.getInputSize()} are set`);
}

/** Two sections: the field (size, prime, number of values), and the values. Everything little-endian. */
function wtns(exports) {
  const words = exports.getFieldNumLen32();
  const count = exports.getWitnessSize();
  const out = new Uint32Array(11 + words + count * words);
  out.set([0x736e7477, 2, 2, 1, 8 + 4 * words, 0, 4 * words]);
  let at = 7;
  const copy = () => {
    for (let word = 0; word < words; word++) out[at++] = exports.readSharedRWMemory(word);
  };
  exports.getRawPrime();
  copy();
  out.set([count, 2, 4 * words * count, 0], at);
  at += 4;
  for (let i = 0; i < count; i++) {
    exports.getWitness(i);
    copy();
  }
  return new Uint8Array(out.buffer);
}
