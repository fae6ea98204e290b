// The ceremony of the tier circuit's keys, step by step. Every merchant of the alliance and every partner contributes
// once; a public beacon closes it; whoever has the folder and the powers of tau can verify all of it. As long as one
// contributor forgets what the program drew for them, nobody can forge proofs.
//
//   make ceremony ARGS="powers"                       check the file that ZK_PTAU_FILE names
//   make ceremony ARGS="begin DIR"                    compile the circuit, make the first key
//   make ceremony ARGS="contribute DIR --name NAME"   add a contribution; the folder then goes to the next
//   make ceremony ARGS="verify DIR"                   check the circuit, the powers, every contribution, the transcript
//   make ceremony ARGS="close DIR --beacon HEX --source TEXT [--iterations 10]"
//   make ceremony ARGS="export DIR --out FOLDER"      what goes into use, marked as set up by a ceremony
//
// All but `contribute` and `close` read ZK_PTAU_FILE; its BLAKE2b-512 has to stand in proofs/circuits/ceremony/powers.json.
// To try it out they take any powers by --rehearse FILE, var/circuits/known_13.ptau for instance, which `make circuits`
// leaves there: what is exported then says "dev", and production refuses it. --main FILE runs a ceremony of another
// circuit of proofs/circuits/circom.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { MAIN } from "../build/compile.mjs";
import { listener } from "../build/keys.mjs";
import { CIRCUIT } from "../build/manifest.mjs";
import { PowersRefused, REHEARSAL, checkedPowers, pinned } from "./powers.mjs";
import { CeremonyRefused, add, begin, close, exported, verified } from "./steps.mjs";

const OPTIONS = Object.fromEntries(
  ["name", "beacon", "source", "iterations", "out", "rehearse", "main"].map((name) => [name, { type: "string" }]),
);
const help = () =>
  readFileSync(import.meta.filename, "utf8")
    .split("\n\n")[0]
    .replace(/^\/\/ ?/gm, "");
/** A line of ours, over the last one of snarkjs where there is a terminal. */
const say = (words) => console.log(process.stdout.isTTY ? `\r\x1b[K${words}` : words);
const logger = () => listener((text) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${text.slice(0, 100)}`));

async function powersAndCircuit(options) {
  const path = options.rehearse ?? process.env.ZK_PTAU_FILE;
  say("checking the powers of tau: hash, then each contribution to them");
  const pin = await checkedPowers(path, options.rehearse ? REHEARSAL : pinned(), logger());
  say(`${pin.file}: ${pin.origin}`);
  const name = options.main ?? CIRCUIT;
  return { powers: path, pin, circuit: { name, main: options.main ?? MAIN }, logger: logger() };
}

const COMMANDS = {
  powers: async (_, options) => void (await powersAndCircuit(options)),
  begin: async (folder, options) => {
    await begin(folder, await powersAndCircuit(options));
    say(`${folder} is ready for its first contribution`);
  },
  contribute: async (folder, options) => {
    const made = await add(folder, { name: options.name, logger: logger() });
    say(
      `contribution ${made.number} of ${made.name}\n  ${made.hash}\nPublish this hash where others find it: it is how they see that yours is in the key.`,
    );
  },
  verify: async (folder, options) => {
    const { transcript } = await verified(folder, await powersAndCircuit(options));
    for (const { number, name, hash } of transcript.contributions) say(`contribution ${number} of ${name}\n  ${hash}`);
    say(transcript.beacon ? `beacon ${transcript.beacon.value} (${transcript.beacon.source})` : "open: no beacon yet");
    say("everything follows from the circuit, the powers and these contributions");
  },
  close: async (folder, options) => {
    const iterations = options.iterations === undefined ? undefined : Number(options.iterations);
    await close(folder, { ...options, iterations, logger: logger() });
    say(`${folder} is closed; verify it, then export`);
  },
  export: async (folder, options) => {
    if (!options.out) throw new CeremonyRefused("say where to: --out FOLDER");
    const manifest = await exported(folder, options.out, await powersAndCircuit(options));
    say(`${options.out}: keys of ${manifest.circuit}, marked "${manifest.setup}", verification key ${manifest.vk_hash}`);
  },
};

async function main(words) {
  if (!words.length || words.includes("--help")) return say(help());
  const { values, positionals } = parseArgs({ args: words, options: OPTIONS, allowPositionals: true });
  const [command, folder, ...more] = positionals;
  if (!Object.hasOwn(COMMANDS, command) || more.length || (command !== "powers" && !folder))
    throw new CeremonyRefused(`not understood: ${words.join(" ")}\n\n${help()}`);
  await COMMANDS[command](folder, values);
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  const expected =
    error instanceof PowersRefused || error instanceof CeremonyRefused || error.code?.startsWith("ERR_PARSE_ARGS");
  console.error(expected ? error.message : error.stack);
  process.exit(expected ? 2 : 1);
}
