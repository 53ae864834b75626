/** One scale of type: sizes are tokens, and no sheet has its own. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../assets/style/", import.meta.url);
/** The sizes of `font` and `font-size`, as far as they are neither tokens nor inherited. */
const strays = (css) =>
  [...css.replace(/\/\*[^]*?\*\//g, "").matchAll(/[;{\s]font(?:-size)?:\s*([^;}]+)/g)].map(([, value]) => value).filter((value) => value !== "inherit" && !value.includes("var(--text-"));

test("type has the sizes of the scale", () => {
  for (const sheet of readdirSync(folder)) assert.deepEqual(strays(readFileSync(new URL(sheet, folder), "utf8")), [], sheet);
});

test("a size of its own is noticed", () => {
  assert.deepEqual(strays("a { color: red; font-size: 11px } b{font:700 1.75rem/1 serif} i { font: 500 var(--text-s) var(--font); font-size: inherit; --font: x }"), ["11px ", "700 1.75rem/1 serif"]);
});
