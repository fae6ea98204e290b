// Hardhat project of the contracts. package.json sits at the repository root because Hardhat accepts no sources outside
// its project; HARDHAT_CONFIG in the npm scripts points here.
import { createRequire } from "node:module";
import { defineConfig } from "hardhat/config";
import { SETTINGS, VERSION } from "./solidity.mjs";

const require = createRequire(import.meta.url);

export default defineConfig({
  paths: {
    sources: "./contracts",
    tests: "./hardhat/test",
    ignition: "./hardhat/ignition",
    artifacts: "./hardhat/artifacts",
    cache: "./hardhat/cache",
  },
  test: { solidity: { fuzz: { runs: 64 }, invariant: { runs: 32, depth: 64, failOnRevert: true } } },
  solidity: {
    // The compiler inside the pinned npm package: nothing is downloaded, and no newer one can slip in.
    version: VERSION,
    path: require.resolve("solc/soljson.js"),
    settings: SETTINGS,
  },
});
