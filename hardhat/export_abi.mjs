// Writes what Python needs of each deployable contract to proofs/abi/, or with --check says whether the files there are
// what the sources compile to. A contract that another program has written stays beside its source, under its own licence. Run after a build; output depends on the sources and the pinned compiler alone.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const ABI_FOLDER = join(ROOT, "proofs", "abi");
const GENERATED_FOLDER = join(ROOT, "contracts", "generated");
const CODE_BYTES_MAX = 24_576; // EIP-170

const DEPLOYABLE = {
  AlliancePolicy: "contracts/AlliancePolicy.sol",
  Council: "contracts/governance/Council.sol",
  ForcedQueue: "contracts/ForcedQueue.sol",
  GuaranteeFund: "contracts/GuaranteeFund.sol",
  MerchantRegistry: "contracts/MerchantRegistry.sol",
  SettlementHub: "contracts/SettlementHub.sol",
  TierRegistry: "contracts/TierRegistry.sol",
  Timelock: "contracts/governance/Timelock.sol",
  TestToken: "contracts/mocks/TestToken.sol",
};

const GENERATED = { TierProofVerifier: "contracts/generated/TierProofVerifier.sol" };

function artifact(name, source) {
  const folder = join(ROOT, "hardhat", "artifacts", source);
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
}

function compilerOf(buildInfoId) {
  const path = join(ROOT, "hardhat", "artifacts", "build-info", `${buildInfoId}.json`);
  const info = JSON.parse(readFileSync(path, "utf8"));
  const { optimizer, evmVersion, viaIR } = info.input.settings;
  return { version: info.solcLongVersion, optimizer, evmVersion, viaIR: viaIR ?? false };
}

function exported(name, source) {
  const built = artifact(name, source);
  const codeBytes = (built.deployedBytecode.length - 2) / 2;
  if (codeBytes > CODE_BYTES_MAX) throw new Error(`${name}: ${codeBytes} bytes of code, at most ${CODE_BYTES_MAX}`);
  const { abi, bytecode, deployedBytecode, immutableReferences } = built;
  const record = { contractName: name, compiler: compilerOf(built.buildInfoId), abi, bytecode, deployedBytecode };
  // Where immutables sit in the runtime code: whoever compares code on chain masks these bytes.
  record.immutableReferences = Object.values(immutableReferences).flat().sort((a, b) => a.start - b.start);
  return JSON.stringify(record, null, 1) + "\n";
}

function write(folder, contracts) {
  mkdirSync(folder, { recursive: true });
  for (const [name, source] of Object.entries(contracts)) {
    writeFileSync(join(folder, `${name}.json`), exported(name, source));
  }
  console.log(`wrote ${Object.keys(contracts).length} files to ${relative(ROOT, folder)}`);
}

function check(folder, contracts) {
  const expected = Object.fromEntries(Object.entries(contracts).map(([n, s]) => [`${n}.json`, exported(n, s)]));
  const found = readdirSync(folder).filter((file) => file.endsWith(".json"));
  const stale = Object.keys(expected).filter(
    (file) => !found.includes(file) || readFileSync(join(folder, file), "utf8") !== expected[file],
  );
  const strange = found.filter((file) => !(file in expected));
  const place = relative(ROOT, folder);
  if (stale.length || strange.length) {
    console.error(`${place} is not current. Stale or missing: ${stale}; unknown: ${strange}. Run: npm run abi`);
    process.exitCode = 1;
  } else {
    console.log(`${place} is current: ${found.length} files`);
  }
}

const act = process.argv.includes("--check") ? check : write;
act(ABI_FOLDER, DEPLOYABLE);
act(GENERATED_FOLDER, GENERATED);
