// Keccak-256, the pre-standard padding that Ethereum uses: Uint8Array in, Uint8Array of 32 bytes out.
//
// Lanes of 64 bits are pairs of 32-bit numbers (low, high): mini-programs run it without BigInt and without WASM. Checked
// against another implementation over every length around the block size. Source: FIPS 202, with domain byte 0x01.

const RATE_BYTES = 136;
const ROUNDS = 24;

// Made by the two rules of the standard (the LFSR of iota, the walk of rho and pi) and not typed in.
const IOTA_LOW = new Uint32Array(ROUNDS);
const IOTA_HIGH = new Uint32Array(ROUNDS);
const ROTATION = new Uint8Array(25);
const TARGET = new Uint8Array(25);

let register = 1;
for (let round = 0; round < ROUNDS; round++) {
  for (let power = 0; power < 7; power++) {
    const bit = (1 << power) - 1;
    if (register & 1) {
      if (bit < 32) IOTA_LOW[round] |= 1 << bit;
      else IOTA_HIGH[round] |= 1 << (bit - 32);
    }
    register = (register << 1) ^ (register & 0x80 ? 0x171 : 0);
  }
}
for (let step = 0, x = 1, y = 0; step < 24; step++) {
  const from = x + 5 * y;
  ROTATION[from] = (((step + 1) * (step + 2)) / 2) % 64;
  [x, y] = [y, (2 * x + 3 * y) % 5];
  TARGET[from] = x + 5 * y;
}

/** The hash of `data`. */
export function keccak256(data) {
  const state = new Uint32Array(50);
  const blocks = Math.floor(data.length / RATE_BYTES) + 1;
  const padded = new Uint8Array(blocks * RATE_BYTES);
  padded.set(data);
  padded[data.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += RATE_BYTES) {
    for (let word = 0; word < RATE_BYTES / 4; word++) state[word] ^= words.getUint32(at + 4 * word, true);
    permute(state);
  }
  const out = new Uint8Array(32);
  const view = new DataView(out.buffer);
  for (let word = 0; word < 8; word++) view.setUint32(4 * word, state[word], true);
  return out;
}

const sums = new Uint32Array(10);
const moved = new Uint32Array(50);

function permute(state) {
  for (let round = 0; round < ROUNDS; round++) {
    for (let x = 0; x < 10; x++) sums[x] = state[x] ^ state[x + 10] ^ state[x + 20] ^ state[x + 30] ^ state[x + 40];
    for (let x = 0; x < 5; x++) {
      const before = 2 * ((x + 4) % 5);
      const after = 2 * ((x + 1) % 5);
      const low = sums[before] ^ ((sums[after] << 1) | (sums[after + 1] >>> 31));
      const high = sums[before + 1] ^ ((sums[after + 1] << 1) | (sums[after] >>> 31));
      for (let lane = 2 * x; lane < 50; lane += 10) {
        state[lane] ^= low;
        state[lane + 1] ^= high;
      }
    }
    for (let lane = 0; lane < 25; lane++) turn(state, lane);
    for (let row = 0; row < 50; row += 10) {
      for (let x = 0; x < 10; x++) {
        state[row + x] = moved[row + x] ^ (~moved[row + ((x + 2) % 10)] & moved[row + ((x + 4) % 10)]);
      }
    }
    state[0] ^= IOTA_LOW[round];
    state[1] ^= IOTA_HIGH[round];
  }
}

/** Rotate one lane to the left and put it where it goes. */
function turn(state, lane) {
  const bits = ROTATION[lane] % 32;
  const swap = ROTATION[lane] >= 32 ? 1 : 0;
  const low = state[2 * lane + swap];
  const high = state[2 * lane + 1 - swap];
  const to = 2 * TARGET[lane];
  moved[to] = bits ? (low << bits) | (high >>> (32 - bits)) : low;
  moved[to + 1] = bits ? (high << bits) | (low >>> (32 - bits)) : high;
}
