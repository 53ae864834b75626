/**
 * What is fetched at first: `preload.txt` holds exactly the modules that the entry and the products page import
 * statically. One too few costs a round trip, one too many its bytes.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const assets = fileURLToPath(new URL("../../assets/", import.meta.url));
const IMPORT = /(?:^|[;\n}])\s*(?:import|export)\b[^"';()]*?["'](\.[^"']+)["']/g;

function reach(path, seen = new Set()) {
  if (seen.has(path)) return seen;
  seen.add(path);
  const code = readFileSync(join(assets, path), "utf8").replace(/\/\*[^]*?\*\//g, "");
  for (const [, target] of code.matchAll(IMPORT)) reach(normalize(join(dirname(path), target)), seen);
  return seen;
}

test("the list is what the first page needs", () => {
  const needed = reach("app/pages/products.js", reach("app/main.js"));
  const listed = readFileSync(join(assets, "preload.txt"), "utf8").trim().split("\n");
  assert.deepEqual([...listed].sort(), [...needed].sort());
});

test("an import is found however it is written", () => {
  const code = 'import a from "./a.js";\nimport {b,\n c} from "./b.js";\nexport { d } from "./d.js";import"./e.js";const f = () => import("./f.js");';
  assert.deepEqual([...code.matchAll(IMPORT)].map(([, target]) => target), ["./a.js", "./b.js", "./d.js", "./e.js"]);
});
