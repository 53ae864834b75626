/**
 * Days of cover: how long the stock lasts at the rate at which the product sells. Time is the events' own: a replayed
 * history sells in its own days, and the rate is that of the last days in which the product was sold.
 */

const DAY_MILLIS = 86_400_000;
/** Long enough to even out the week, short enough to follow the season. */
export const RATE_DAYS = 28;
/** A product that was first sold yesterday has no rate of one day: it is taken as if it were a week. */
const LEAST_DAYS = 7;
/** Restocking aims at this many days, and at twice the threshold at least, so that the next sale is no warning. */
const RESTOCK_DAYS = 14;

/** Made once: thousands that nobody buys are told apart by their names. */
const byName = new Intl.Collator();

/**
 * @typedef {{perDay: number, days: number, until: string | null}} Rate `until`: the last day with a sale
 * @param {{bucket: string, unitsSold: number, unitsReturned: number}[]} buckets by day, in any order
 * @returns {Rate}
 */
export function rateOf(buckets) {
  const sold = buckets.filter((day) => day.unitsSold > 0).sort((a, b) => Date.parse(a.bucket) - Date.parse(b.bucket));
  if (sold.length === 0) return { perDay: 0, days: 0, until: null };
  const until = sold[sold.length - 1].bucket;
  const end = Date.parse(until);
  const from = end - (RATE_DAYS - 1) * DAY_MILLIS;
  const within = buckets.filter(({ bucket }) => Date.parse(bucket) >= from && Date.parse(bucket) <= end);
  const net = within.reduce((sum, day) => sum + day.unitsSold - day.unitsReturned, 0);
  const since = Math.round((end - Date.parse(sold[0].bucket)) / DAY_MILLIS) + 1;
  const days = Math.min(RATE_DAYS, Math.max(LEAST_DAYS, since));
  return { perDay: Math.max(0, net) / days, days, until };
}

/** Returns the days that the stock lasts, null where nothing is sold. @param {number} stock @param {Rate | undefined} rate */
export function daysOfCover(stock, rate) {
  return rate && rate.perDay > 0 ? stock / rate.perDay : null;
}

/** Returns how many to add. @param {number} stock @param {number} threshold @param {Rate | undefined} rate */
export function restockBy(stock, threshold, rate) {
  const target = Math.max(Math.ceil((rate?.perDay ?? 0) * RESTOCK_DAYS), threshold * 2, 1);
  return Math.max(1, target - stock);
}

/**
 * Compares two products by urgency: least cover first, of the sold-out ones what sells fastest; then what does not
 * sell, least stock first.
 * @param {{stock: number, name: string, rate?: Rate}} a @param {{stock: number, name: string, rate?: Rate}} b
 */
export function byUrgency(a, b) {
  const [ca, cb] = [daysOfCover(a.stock, a.rate), daysOfCover(b.stock, b.rate)];
  if ((ca === null) !== (cb === null)) return ca === null ? 1 : -1;
  return (ca ?? 0) - (cb ?? 0) || (b.rate?.perDay ?? 0) - (a.rate?.perDay ?? 0) || a.stock - b.stock || byName.compare(a.name, b.name);
}
