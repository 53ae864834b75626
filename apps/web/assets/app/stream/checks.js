/**
 * The sellers of `souk verify`: a check makes a product and removes it. It is in the figures, which tell of every event;
 * people are not told of it.
 */
const SELLER = "souk-verify-";

/** @param {string} seller */
export const isCheck = (seller) => seller.startsWith(SELLER);
/** The category of what a check makes. */
export const CHECK_CATEGORY = "souk-verify";
