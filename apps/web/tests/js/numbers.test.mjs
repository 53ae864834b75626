/** Numbers as they are typed, here and elsewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decimalOf } from "../../assets/app/pages/products/decimals.js";
import { wholeOf } from "../../assets/app/pages/products/numbers.js";

const LOCALES = {
  en: { group: ",", decimal: "." },
  de: { group: ".", decimal: "," },
  fr: { group: "\u202f", decimal: "," },
  ch: { group: "’", decimal: "." },
  ar: { group: "٬", decimal: "٫" },
};

test("a price is read as its reader writes it", () => {
  const read = (text) => Object.fromEntries(Object.entries(LOCALES).map(([name, marks]) => [name, decimalOf(text, marks)]));
  assert.deepEqual(read("1,234"), { en: 1234, de: 1.234, fr: 1.234, ch: null, ar: null });
  assert.deepEqual(read("1.234"), { en: 1.234, de: 1234, fr: null, ch: 1.234, ar: null });
  assert.deepEqual(read("1 234,5"), { en: null, de: null, fr: 1234.5, ch: null, ar: null });
  assert.deepEqual(read("1'234.5"), { en: null, de: null, fr: null, ch: 1234.5, ar: null });
  assert.deepEqual(read("0,500"), { en: null, de: 0.5, fr: 0.5, ch: null, ar: null });
  assert.equal(decimalOf("12,34,567.5", LOCALES.en), 1234567.5);
});

test("a fraction that can only be one is one everywhere", () => {
  for (const marks of Object.values(LOCALES)) {
    for (const text of ["12.5", "12,5", "12.50", "12,50"]) assert.equal(decimalOf(text, marks), 12.5, text);
    assert.equal(decimalOf(" 1234 ", marks), 1234);
    assert.equal(decimalOf("−5", marks), -5);
  }
});

test("what is no number is none", () => {
  for (const text of ["", ".", "-", "ten", "1e3", "0x10", "1,2,3", "1.2.3", "1,23,4"]) {
    for (const marks of Object.values(LOCALES)) assert.equal(decimalOf(text, marks), null, text);
  }
  for (const text of ["", "1.5", "1,50", "0,500", "1,000.000", "1e3", "12345678901"]) assert.equal(wholeOf(text), null, text);
});
