// Opinions from the sources alone. Ours: assignments that constrain nothing (`<--`, `-->`) stand in one template,
// which constrains what it assigned in the lines after. Comments are taken out before looking.

export const ALLOWED = { "bits.circom": 1 };

const withoutComments = (source) => source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (found) => found.replace(/[^\n]/g, " "));

/** Sentences about unconstrained assignments in `sources` (text by file name), empty when there is none too many. */
export function looseArrows(sources) {
  return Object.entries(sources).flatMap(([name, source]) => {
    const lines = withoutComments(source).split("\n");
    const found = lines.flatMap((line, i) => Array.from(line.matchAll(/<--|-->/g), () => i + 1));
    return found.length > (ALLOWED[name] ?? 0) ? [`${name}: assigned without a constraint in line ${found.join(", ")}`] : [];
  });
}

// What circomspect warns of in the circuit as it stands, once each, and why it may.
const EXPECTED = [
  "CS0005 bits.circom", // the one assignment without a constraint; the two constraints follow in the next lines
  "CS0017 tier_proof.circom", // the square of the challenge is used nowhere: it is there to bind the challenge
  "CS0018 bounds.circom", // of a difference only that it has bits is of interest, not which
  "CS0018 tier_proof.circom", // nor of the number of the use
];

/** Warnings ("CS0005 bits.circom:14") beyond those that are expected; each expected one excuses one. */
export function unexpected(warnings) {
  const excused = [...EXPECTED];
  return warnings.filter((warning) => {
    const at = excused.indexOf(warning.replace(/:\d+$/, ""));
    if (at >= 0) excused.splice(at, 1);
    return at < 0;
  });
}
