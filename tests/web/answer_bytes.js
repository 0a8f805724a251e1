// @ts-check
/** Reads files as a JSON array of base64, and prints what each decodes to; for Node. */

import { readFileSync } from "node:fs";
import { answer } from "./conformance.js";

const maxPixels = Number(process.argv[2]);
const answers = [];
for (const text of JSON.parse(readFileSync(0, "utf-8"))) {
  answers.push(await answer(Buffer.from(text, "base64"), maxPixels));
}
process.stdout.write(JSON.stringify(answers));
