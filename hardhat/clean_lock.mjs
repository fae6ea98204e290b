// Takes out of package-lock.json what npm writes there for people (where to send money) and keeps what it installs by, so
// that the lock holds no address at all. Run by `npm run lock` after every change of dependencies.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LOCK = join(import.meta.dirname, "..", "package-lock.json");
const lock = JSON.parse(readFileSync(LOCK, "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  delete entry.resolved;
}
writeFileSync(LOCK, JSON.stringify(lock, null, 2) + "\n");
