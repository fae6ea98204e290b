// The ceremony on a circuit of one product with powers up to 2^5: powers are refused unless their hash is known, two
// contribute, a beacon closes, anybody verifies; what was tampered with is named. The program's own words on errors.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CIRCUITS, ROOT, compile } from "../../../proofs/circuits/build/compile.mjs";
import {
  blake2b512,
  firstKey,
  keyHash,
  knownPowers,
  listener,
  verificationKey,
} from "../../../proofs/circuits/build/keys.mjs";
import { DEVELOPMENT, loaded, manifestOf } from "../../../proofs/circuits/build/manifest.mjs";
import { compiled } from "../../../proofs/circuits/ceremony/contract.mjs";
import { REHEARSAL, checkedPowers, pinOf, pinned } from "../../../proofs/circuits/ceremony/powers.mjs";
import { add, begin, close, exported, transcriptOf, verified } from "../../../proofs/circuits/ceremony/steps.mjs";

const TINY = `pragma circom 2.1.6;
template Tiny() { signal input a; signal input b; signal product; product <== a * b; }
component main {public [a]} = Tiny();
`;
const OTHER = TINY.replace("a * b", "(a + 1) * b");
const circuit = { name: "Tiny", main: "tiny", sources: { "tiny.circom": TINY } };
const BEACON = "ab".repeat(32);

const folder = mkdtempSync(join(tmpdir(), "tongdui-ceremony-"));
const at = (name) => join(folder, name);
const powers = at("powers.ptau");
let pin;

/** The ceremony's folder copied, changed by `change`, and checked: it has to be refused with these words. */
async function refusedAfter(change, words, asked = {}) {
  const copy = at("copy");
  rmSync(copy, { recursive: true, force: true });
  cpSync(at("ceremony"), copy, { recursive: true });
  change(copy);
  await assert.rejects(verified(copy, { powers, pin, circuit, ...asked }), words);
}

function rewritten(copy, change) {
  const transcript = transcriptOf(copy);
  change(transcript);
  writeFileSync(join(copy, "transcript.json"), JSON.stringify(transcript));
}

before(async () => {
  await knownPowers(
    { power: 5, beacon: "cd".repeat(32), name: "test", iterations: 10 },
    { empty: at("e.ptau"), known: at("k.ptau"), prepared: powers },
    listener(),
  );
  pin = { file: "powers.ptau", power: 5, bytes: 0, blake2b512: await blake2b512(powers), origin: "this test" };
});
after(async () => {
  await globalThis.curve_bn128?.terminate(); // threads that would keep the process
  rmSync(folder, { recursive: true });
});

describe("powers of tau", () => {
  it("are taken when their hash is known and their proofs hold", async () => {
    assert.equal(await checkedPowers(powers, [pin], listener()), pin);
  });

  it("are refused as anything else, in words", async () => {
    const html = at("error.ptau");
    writeFileSync(html, "\n<!DOCTYPE html><html><body>404 Not Found</body></html>");
    await assert.rejects(pinOf(html, [pin]), /is a web page and no powers of tau/);
    writeFileSync(html, "PK\x03\x04 something");
    await assert.rejects(pinOf(html, [pin]), /it begins with "PK/);
    await assert.rejects(pinOf(undefined, [pin]), /ZK_PTAU_FILE names no file.*\n {2}powersOfTau28_hez_final_13/);
    await assert.rejects(pinOf(at("nothing"), [pin]), /is not there/);
    await assert.rejects(pinOf(powers, pinned()), /none that is known:\n {2}powersOfTau28_hez_final_13/);
    const flipped = readFileSync(powers);
    flipped[flipped.length - 1] ^= 1;
    writeFileSync(at("flipped.ptau"), flipped);
    await assert.rejects(pinOf(at("flipped.ptau"), [pin]), new RegExp(`has the BLAKE2b-512\\n {2}(?!${pin.blake2b512})`));
  });

  it("that are pinned but false are refused by their own proofs", async () => {
    const broken = readFileSync(powers);
    broken[Math.floor(broken.length / 3)] ^= 1;
    writeFileSync(at("broken.ptau"), broken);
    const own = { ...pin, blake2b512: await blake2b512(at("broken.ptau")) };
    await assert.rejects(checkedPowers(at("broken.ptau"), [own], listener()), /do not follow/);
  });
});

describe("a ceremony", () => {
  const asked = () => ({ powers, pin, circuit });

  it("goes from the circuit over contributions and a beacon to keys", async () => {
    const ceremony = at("ceremony");
    await begin(ceremony, asked());
    await assert.rejects(begin(ceremony, asked()), /holds a ceremony already/);
    await assert.rejects(verified(ceremony, asked()), /nobody has contributed/);
    await assert.rejects(close(ceremony, { beacon: BEACON, source: "a block" }), /nobody has contributed/);
    await assert.rejects(verificationKey(join(ceremony, "0000.zkey")), /gamma = delta/);
    const first = await add(ceremony, { name: "Merchant A" });
    const second = await add(ceremony, { name: "Partner B" });
    assert.notEqual(first.hash, second.hash);
    await assert.rejects(add(ceremony, { name: "Merchant A" }), /has contributed already/);
    await assert.rejects(add(ceremony, { name: "" }), /needs a name/);
    await assert.rejects(exported(ceremony, at("early"), asked()), /not closed/);
    await assert.rejects(close(ceremony, { beacon: "12", source: "a block" }), /64 lower-case hex digits/);
    await assert.rejects(close(ceremony, { beacon: BEACON }), /where the beacon comes from/);
    await close(ceremony, { beacon: BEACON, source: "block 1 of the test" });
    await assert.rejects(add(ceremony, { name: "Too late" }), /closed/);
    const { transcript } = await verified(ceremony, asked());
    assert.deepEqual(
      transcript.contributions.map(({ name }) => name),
      ["Merchant A", "Partner B"],
    );
  });

  it("exports what production takes", async () => {
    const manifest = await exported(at("ceremony"), at("out"), asked());
    assert.equal(manifest.setup, "ceremony");
    const taken = loaded(at("out"), { production: true });
    assert.equal(keyHash(taken.verificationKey), manifest.vk_hash);
    assert.notEqual(manifest.vk_hash, manifestOf(DEVELOPMENT).vk_hash);
    assert.match(readFileSync(at("out/TierProofVerifier.sol"), "utf8"), /contract TierProofVerifier/);
  });

  it("exports its contract compiled, with every number of its key: what deployment asks for", () => {
    const { contractName, bytecode } = JSON.parse(readFileSync(at("out/TierProofVerifier.json"), "utf8"));
    const key = JSON.parse(readFileSync(at("out/verification_key.json"), "utf8"));
    assert.equal(contractName, "TierProofVerifier");
    for (const number of [key.vk_alpha_1, ...key.vk_delta_2, ...key.IC].flatMap((point) => point.slice(0, 2)))
      assert.ok(bytecode.includes(BigInt(number).toString(16)), `${number} is in the code`);
  });

  it("compiles as the rest of the contracts are", () => {
    const place = `${ROOT}/contracts/generated/TierProofVerifier`;
    const kept = JSON.parse(readFileSync(`${place}.json`, "utf8"));
    const { abi, bytecode, compiler } = compiled("TierProofVerifier", readFileSync(`${place}.sol`, "utf8"));
    const code = (text) => text.slice(0, -2 * 53); // what follows is a hash over the names of files
    assert.equal(code(bytecode), code(kept.bytecode));
    assert.deepEqual(abi, kept.abi);
    assert.ok(compiler.version.startsWith(kept.compiler.version));
    assert.throws(() => compiled("Empty", "contract Empty { nonsense }"), /solc/);
  });

  it("rehearsed over powers for which nobody stands exports development keys", async () => {
    const rehearsed = await checkedPowers(powers, REHEARSAL, listener());
    assert.equal(rehearsed.blake2b512, pin.blake2b512);
    const manifest = await exported(at("ceremony"), at("rehearsed"), { ...asked(), pin: rehearsed });
    assert.equal(manifest.setup, "dev");
    assert.throws(() => loaded(at("rehearsed"), { production: true }), /anybody forges proofs/);
    writeFileSync(at("page.ptau"), "<html>503</html>");
    await assert.rejects(pinOf(at("page.ptau"), REHEARSAL), /is a web page/);
  });

  it("names what was tampered with", async () => {
    await refusedAfter(
      (copy) => rewritten(copy, (told) => (told.contributions[0].name = "Merchant C")),
      /not those of the transcript/,
    );
    await refusedAfter(
      (copy) => rewritten(copy, (told) => (told.contributions[1].hash = "00")),
      /not those of the transcript/,
    );
    await refusedAfter((copy) => rewritten(copy, (told) => (told.beacon.value = "00".repeat(32))), /beacon in the key/);
    await refusedAfter((copy) => rewritten(copy, (told) => (told.beacon.iterations = 11)), /beacon in the key/);
    await refusedAfter(
      (copy) => writeFileSync(join(copy, "0002.zkey"), readFileSync(join(copy, "0001.zkey"))),
      /key 2 is not what/,
    );
    await refusedAfter((copy) => writeFileSync(join(copy, "circuit.r1cs"), "x"), /circuit.r1cs is not/);
    await refusedAfter(() => {}, /compile to another circuit/, {
      circuit: { ...circuit, sources: { "tiny.circom": OTHER } },
    });
    await refusedAfter(() => {}, /other powers of tau/, { pin: { ...pin, blake2b512: "00" } });
  });

  it("of another circuit does not verify as this one's", async () => {
    const strange = { name: "Tiny", main: "tiny", sources: { "tiny.circom": OTHER } };
    await begin(at("strange"), { powers, pin, circuit: strange });
    await add(at("strange"), { name: "Merchant A" });
    await refusedAfter((copy) => {
      for (const name of ["0001.zkey"]) cpSync(join(at("strange"), name), join(copy, name));
      rewritten(copy, (told) => {
        told.contributions = transcriptOf(at("strange")).contributions;
        told.beacon = null;
      });
    }, /does not follow/);
  });

  it("does not begin with powers that are too small", async () => {
    const wide = `pragma circom 2.1.6;\ninclude "bits.circom";\ntemplate Wide() { signal input a; component b[2]; for (var i = 0; i < 2; i++) { b[i] = Bits(200); b[i].in <== a; } }\ncomponent main = Wide();\n`;
    const r1cs = at("wide.r1cs");
    writeFileSync(r1cs, compile({ main: "wide", sources: { "wide.circom": wide }, wasm: false }).r1cs);
    await assert.rejects(firstKey({ r1cs, powers, key: at("wide.zkey") }, listener()), /do not make a key/);
  });
});

describe("the program", () => {
  const run = (words, environment = {}) =>
    spawnSync(process.execPath, [join(CIRCUITS, "ceremony", "ceremony.mjs"), ...words], {
      encoding: "utf8",
      env: { ...process.env, ...environment },
    });

  it("tells its commands", () => {
    for (const words of [[], ["--help"], ["begin", "--help"]]) {
      const { status, stdout } = run(words);
      assert.equal(status, 0);
      for (const command of ["powers", "begin", "contribute", "verify", "close", "export"])
        assert.match(stdout, new RegExp(`ARGS="${command}`));
    }
  });

  it("refuses what it does not understand with 2, and says so", () => {
    for (const words of [["dance"], ["begin"], ["verify", "a", "b"], ["powers", "--loud"]])
      assert.equal(run(words).status, 2, words.join(" "));
    writeFileSync(at("page.ptau"), "<html>503</html>");
    const page = run(["powers"], { ZK_PTAU_FILE: at("page.ptau") });
    assert.equal(page.status, 2);
    assert.match(page.stderr, /is a web page/);
    assert.doesNotMatch(page.stderr, /at .*\.mjs/);
    assert.match(run(["contribute", at("nothing"), "--name", "A"]).stderr, /holds no ceremony/);
  });
});
