// @ts-check
/** Reads paths, one a line, and prints what each file decodes to as one JSON text; for Node. */

import { readFileSync } from "node:fs";
import { answer } from "./conformance.js";

const answers = [];
for (const path of readFileSync(0, "utf-8").split("\n").filter(Boolean)) {
  answers.push(await answer(readFileSync(path)));
}
process.stdout.write(JSON.stringify(answers));
