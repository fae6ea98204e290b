// The verifier contract of a ceremony's keys, compiled as Hardhat compiles those of this repository: what the file of an
// alliance names as `verifier`, and what deployment looks for the key's numbers in.

import { createRequire } from "node:module";
import { SETTINGS, VERSION } from "../../../hardhat/solidity.mjs";

const OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"];

/** The artifact of the contract `name` in one Solidity source. Throws with the compiler's words. */
export function compiled(name, source) {
  const solc = createRequire(import.meta.url)("solc");
  if (!solc.version().startsWith(`${VERSION}+`)) throw new Error(`solc ${VERSION} is wanted, not ${solc.version()}`);
  const file = `${name}.sol`;
  const asked = {
    language: "Solidity",
    sources: { [file]: { content: source } },
    settings: { ...SETTINGS, outputSelection: { "*": { "*": OUTPUT } } },
  };
  const told = JSON.parse(solc.compile(JSON.stringify(asked)));
  const errors = (told.errors ?? []).filter(({ severity }) => severity === "error");
  if (errors.length) throw new Error(`solc: ${errors.map(({ formattedMessage }) => formattedMessage).join("\n")}`);
  const { abi, evm } = told.contracts[file][name];
  const [bytecode, deployedBytecode] = [evm.bytecode, evm.deployedBytecode].map(({ object }) => `0x${object}`);
  return { contractName: name, compiler: { version: solc.version(), ...SETTINGS }, abi, bytecode, deployedBytecode };
}
