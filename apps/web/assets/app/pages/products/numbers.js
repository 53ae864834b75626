/** Whole numbers as people type them. */

/**
 * Returns the digits of a whole number, with its sign, or null. Thousands may be grouped in any manner: a stock has no
 * fraction, so that "1.500" can only be one thing; a lone "1.5" is no stock, and must not become 15.
 * @param {string} text
 */
export function wholeOf(text) {
  const plain = text.trim().replace(/^[−–]/, "-");
  const tidy = /^[+-]?[1-9]\d{0,2}([\s.,'’])\d{3}(\1\d{3})*$/.test(plain) ? plain.replace(/[\s.,'’]/g, "") : plain;
  return /^[+-]?\d{1,10}$/.test(tidy) ? tidy : null;
}
