// Compiles everything afresh and fails on any warning in our own sources (a dependency's are its own affair), then holds
// the house rules that a compiler does not know. Each rule says what it forbids; hardhat/test/lint.test.mjs makes each fire.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const FILE_LINES_MAX = 400;
const LINE_CHARACTERS_MAX = 125;
const TYPE_STRING = /^\s*"\w+\((\w+ \w+,?)+\)"$/;

/** Rules over one Solidity source: each returns the numbers of the lines it objects to (0 for the file as a whole). */
export const RULES = {
  "abi.encodePacked": (lines) => matching(lines, /encodePacked/),
  "floating pragma": (lines) => (lines.some((line) => line === "pragma solidity 0.8.37;") ? [] : [0]),
  "no licence line": (lines) => (lines[0] === "// SPDX-License-Identifier: Apache-2.0" ? [] : [0]),
  "assembly without a decision record": (lines) => matching(lines, /\bassembly\b/),
  "proxy or delegatecall": (lines) => matching(lines, /delegatecall|selfdestruct|\bProxy\b|Upgradeable/),
  "tx.origin": (lines) => matching(lines, /tx\.origin/),
  "revert with a string": (lines) => matching(lines, /\brequire\s*\(|revert\s*\(|revert Error\(/),
  "unfinished": (lines) => matching(lines, /TODO|FIXME|XXX|hardhat\/console/),
  "line too long": (lines) => lines.flatMap((line, i) => (tooLong(line) ? [i + 1] : [])),
  "file too long": (lines) => (lines.length > FILE_LINES_MAX ? [0] : []),
};

const matching = (lines, pattern) => lines.flatMap((line, i) => (pattern.test(line) ? [i + 1] : []));

/** An EIP-712 type string cannot be broken: it is what is hashed. */
const tooLong = (line) => [...line].length > LINE_CHARACTERS_MAX && !TYPE_STRING.test(line);

export function objections(source) {
  const lines = source.replace(/\n$/, "").split("\n");
  return Object.entries(RULES).flatMap(([rule, find]) => find(lines).map((line) => ({ rule, line })));
}

/** Warnings of a Hardhat build that point into our own sources. */
export function ownWarnings(output) {
  const ours = /--> \.\/(contracts\/(?!generated\/)|hardhat\/)/;
  return output.split(/\n(?=Warning: )/).filter((part) => /^Warning: /.test(part) && ours.test(part));
}

/** Ours to answer for: what a program has written in contracts/generated is not, and is never edited. */
function sources() {
  const all = globSync(["contracts/**/*.sol", "hardhat/test/**/*.sol"], { cwd: ROOT });
  return all.filter((path) => !path.startsWith("contracts/generated/")).sort();
}

function main() {
  const build = spawnSync("npx", ["hardhat", "build", "--force"], { cwd: ROOT, encoding: "utf8" });
  const output = build.stdout + build.stderr;
  const warnings = ownWarnings(output);
  const found = sources().flatMap((path) =>
    objections(readFileSync(join(ROOT, path), "utf8")).map(({ rule, line }) => `${path}:${line}: ${rule}`),
  );
  const complaints = [...warnings, ...found];
  for (const complaint of complaints) console.error(complaint);
  if (build.status !== 0) console.error(output);
  if (build.status !== 0 || complaints.length) process.exit(1);
  console.log(`lint: ${sources().length} Solidity files, no warning`);
}

if (process.argv[1] === import.meta.filename) main();
