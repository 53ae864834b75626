/** Prices as people type them. What could mean two things is no number: who typed it is asked, not guessed at. */

const [GROUP, DECIMAL] = ["group", "decimal"].map((type) => new Intl.NumberFormat().formatToParts(1_234_567.5).find((part) => part.type === type)?.value ?? "");
/** What stands between thousands and before the fraction, in the reader's own manner. */
export const MARKS = { group: GROUP, decimal: DECIMAL };

/** What people type in place of a mark that their keyboard has not. */
const LIKE = [/^[\s\u00a0\u202f]$/, /^['’]$/];

/**
 * Returns the number that was typed, or null: "1,234" is more than a thousand where commas group, little more than one
 * where they begin the fraction, and null where they do neither.
 * @param {string} text @param {{group: string, decimal: string}} marks
 */
export function decimalOf(text, { group, decimal } = MARKS) {
  const plain = text.trim().replace(/^[−–]/, "-");
  const like = LIKE.find((one) => one.test(group));
  const parts = plain.split(decimal || ".");
  const whole = [...parts[0]].map((one) => (one === group || like?.test(one) ? "_" : one)).join("");
  const grouped = /^-?(\d*|[1-9]\d{0,2}(_\d{2,3})*_\d{3})$/.test(whole);
  const tidy = [whole.replaceAll("_", ""), ...parts.slice(1)].join(".");
  if (grouped && /^-?(\d+\.?\d*|\.\d+)$/.test(tidy)) return Number(tidy);
  // The mark of another place: with three digits behind it nobody knows.
  const foreign = /^(-?\d+)[.,](\d{1,2}|\d{4,})$/.exec(plain);
  return foreign ? Number(`${foreign[1]}.${foreign[2]}`) : null;
}
