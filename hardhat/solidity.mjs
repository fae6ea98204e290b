// How Solidity is compiled here, for Hardhat and for whoever compiles a verifier of other keys (proofs/circuits/ceremony).

export const VERSION = "0.8.37";
export const SETTINGS = { optimizer: { enabled: true, runs: 200 }, evmVersion: "prague" };
