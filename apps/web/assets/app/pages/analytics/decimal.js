/** Exact decimals, as the services send money: text, added without a float in between. */

/** Digits behind the point that are kept: the services send four. */
const SCALE = 8;

/** @param {string | number} text such as "-12.5" @returns {bigint} in units of 10^-8 */
export function parseDecimal(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(text)) ?? [];
  if (whole === undefined) throw new TypeError(`"${text}" is no decimal`);
  const units = BigInt(whole + fraction.slice(0, SCALE).padEnd(SCALE, "0"));
  return sign ? -units : units;
}

/** @param {bigint} units @returns {string} without zeros at its end */
export function formatDecimal(units) {
  const digits = String(units < 0n ? -units : units).padStart(SCALE + 1, "0");
  const fraction = digits.slice(-SCALE).replace(/0+$/, "");
  return `${units < 0n ? "-" : ""}${digits.slice(0, -SCALE)}${fraction && `.${fraction}`}`;
}

/** Returns the exact sum. @param {Iterable<string | number>} amounts */
export function sumDecimals(amounts) {
  let sum = 0n;
  for (const amount of amounts) sum += parseDecimal(amount);
  return formatDecimal(sum);
}

/** Tells which is larger, as `sort` wants it. @param {string} a @param {string} b */
export function compareDecimals(a, b) {
  const [x, y] = [parseDecimal(a), parseDecimal(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
