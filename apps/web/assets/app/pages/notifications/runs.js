/** The history as people read it: by day, and what came in a burst as one line that opens. */

/** Fewer of a kind in a row are shown one by one. */
const LEAST = 4;
/** Those that are further apart are no burst. */
const APART_MILLIS = 120_000;

/** Stock moves of one sale of many lines are a burst too; gaps never are. */
const foldable = (notice) => notice.kind !== "gap";

/**
 * @typedef {{notice: import("../../types.js").Notice} | {run: import("../../types.js").Notice[], key: string}} Line
 * @param {import("../../types.js").Notice[]} notices newest first
 * @returns {Line[]}
 */
export function foldRuns(notices) {
  const lines = [];
  let from = 0;
  while (from < notices.length) {
    let to = from + 1;
    const { kind } = notices[from];
    const follows = (a, b) => b.kind === kind && foldable(b) && Math.abs(Date.parse(a.at) - Date.parse(b.at)) <= APART_MILLIS;
    while (to < notices.length && follows(notices[to - 1], notices[to])) to += 1;
    // The oldest names it: it stays the same while the burst goes on.
    if (to - from >= LEAST) lines.push({ run: notices.slice(from, to), key: notices[to - 1].id });
    else for (const notice of notices.slice(from, to)) lines.push({ notice });
    from = to;
  }
  return lines;
}

/**
 * @param {import("../../types.js").Notice[]} notices newest first @param {(time: string) => string} dayOf
 * @returns {{day: string, lines: Line[]}[]}
 */
export function byDay(notices, dayOf) {
  /** @type {Map<string, import("../../types.js").Notice[]>} */
  const days = new Map();
  for (const notice of notices) {
    const day = dayOf(notice.at);
    if (days.has(day)) days.get(day).push(notice);
    else days.set(day, [notice]);
  }
  return [...days].map(([day, of]) => ({ day, lines: foldRuns(of) }));
}

/** Returns the first so many lines, and whether there are more. @param {{day: string, lines: Line[]}[]} days @param {number} most */
export function firstLines(days, most) {
  let left = most;
  const first = [];
  for (const { day, lines } of days) {
    if (left > 0) first.push({ day, lines: lines.slice(0, left) });
    left -= lines.length;
  }
  return { days: first, more: left < 0 };
}
