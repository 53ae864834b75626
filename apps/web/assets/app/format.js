/**
 * Numbers, money and times in the reader's own manner. Formatters are costly to make, so each is made once, and when it is
 * needed: the first page needs few of them.
 */

const make = (kind, options) => {
  let made;
  return () => (made ??= new Intl[kind](undefined, options));
};
const whole = make("NumberFormat", { maximumFractionDigits: 0 });
const oneDigit = make("NumberFormat", { maximumFractionDigits: 1 });
const alwaysOne = make("NumberFormat", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
// Shops keep prices in one currency, which souk is not told: the figure alone is what is true.
const cents = make("NumberFormat", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
const short = make("NumberFormat", { notation: "compact", maximumFractionDigits: 1 });
const clockTime = make("DateTimeFormat", { timeStyle: "medium" });
const dayName = make("DateTimeFormat", { dateStyle: "medium" });
const utcDayName = make("DateTimeFormat", { dateStyle: "medium", timeZone: "UTC" });
const dayLong = make("DateTimeFormat", { dateStyle: "full" });
const full = make("DateTimeFormat", { dateStyle: "medium", timeStyle: "medium" });
const ago = make("RelativeTimeFormat", { numeric: "auto", style: "short" });
const list = make("ListFormat", { type: "conjunction" });

/** @param {number} n */
export const count = (n) => whole().format(n);
/** 1.2M rather than seven digits, from 100,000 on. @param {number} n */
export const compact = (n) => (Math.abs(n) < 100_000 ? whole : short)().format(n);
/** @param {number} n */
export const decimal = (n) => oneDigit().format(n);
/** 2.0 rather than 2. @param {number} n */
export const tenths = (n) => alwaysOne().format(n);
/** Takes exact decimals as strings as they are: Intl does not round them through a float. @param {number | string} amount */
export const money = (amount) => cents().format(/** @type {any} */ (amount));
/** @param {number | string} amount */
export const compactMoney = (amount) => (Math.abs(Number(amount)) < 100_000 ? cents : short)().format(/** @type {any} */ (amount));
/** @param {string | number} time */
export const timeOf = (time) => clockTime().format(new Date(time));
/** @param {string | number} time */
export const dateOf = (time) => dayName().format(new Date(time));
/** Names a day as the services count them, which is UTC's: west of Greenwich it begins on the day before. @param {string | number} time */
export const utcDate = (time) => utcDayName().format(new Date(time));
/** @param {string | number} time */
export const dayOf = (time) => dayLong().format(new Date(time));
/** @param {string | number} time */
export const dateTime = (time) => full().format(new Date(time));
/** @param {string[]} names */
export const enumerate = (names) => list().format(names);

const STEPS = /** @type {const} */ ([["second", 60], ["minute", 60], ["hour", 24], ["day", 7], ["week", 5], ["month", 12], ["year", Infinity]]);

/** Returns how long ago that was, in words. @param {string | number} time @param {number} now milliseconds */
export function since(time, now) {
  // Words are renewed twice a minute: seconds would be wrong most of the time.
  if (Math.abs(new Date(time).getTime() - now) < 45_000) return ago().format(0, "second");
  let left = (new Date(time).getTime() - now) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(left) < size) return ago().format(Math.round(left), unit);
    left /= unit === "week" ? 4.35 : size;
  }
  return dateOf(time);
}

/** Returns milliseconds as people say them: 12 ms, 3.4 s. @param {number | null} ms */
export function duration(ms) {
  if (ms === null || !Number.isFinite(ms)) return "–";
  return ms < 1000 ? `${whole().format(ms)} ms` : `${oneDigit().format(ms / 1000)} s`;
}

/** Returns "1 product" or "3 products". @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
