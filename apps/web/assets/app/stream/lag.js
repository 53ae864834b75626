/** From the write to this screen: latencies of the last seconds, as percentiles. */

/**
 * Returns the value below which `share` of the samples lie (nearest rank).
 * @param {number[]} sorted ascending
 * @param {number} share 0 to 1
 */
export function percentile(sorted, share) {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** Keeps samples for `keepMillis`, at most `most` of them. */
export class LagWindow {
  constructor({ keepMillis = 30_000, most = 4096 } = {}) {
    this.keepMillis = keepMillis;
    this.most = most;
    /** @type {{at: number, lag: number}[]} */
    this.samples = [];
  }

  /** @param {number} lag milliseconds @param {number} at now, milliseconds */
  add(lag, at) {
    // A clock that is off by the error of our estimate must not show a screen that is ahead of the write.
    this.samples.push({ at, lag: Math.max(0, lag) });
    if (this.samples.length > this.most * 2) this.samples = this.samples.slice(-this.most);
  }

  /** @param {number} now @returns {{p50: number | null, p99: number | null, count: number}} */
  figures(now) {
    this.samples = this.samples.filter((sample) => now - sample.at <= this.keepMillis).slice(-this.most);
    const sorted = this.samples.map((sample) => sample.lag).sort((a, b) => a - b);
    return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), count: sorted.length };
  }
}
