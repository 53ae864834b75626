/** Which rows are in the document: those on the screen, some around them, and the one with the focus. */

/** Rows kept beyond each edge: so that Tab finds them there, and more while the page scrolls, which goes ahead of what is drawn. */
export const BEYOND = { resting: 2, scrolling: 10 };
/** The window moves in steps, so that scrolling by a pixel changes nothing. */
const STEP = 2;
/** With more rows than that below the screen, nobody sees where the page ends: it grows by as many at once. */
const FAR = 64;

/**
 * Returns the first row of the window and the one after its last.
 * @param {{top: number, height: number, row: number, total: number, beyond: number}} view `top`: how far the first row's
 *   upper edge is above the upper edge of what is visible, in pixels; `beyond`: rows kept beyond each edge
 */
export function windowOf({ top, height, row, total, beyond }) {
  const first = Math.floor(top / row) - beyond;
  const last = Math.ceil((top + height) / row) + beyond;
  const end = Math.min(total, Math.max(0, Math.ceil(last / STEP) * STEP));
  const start = Math.min(Math.max(0, Math.floor(first / STEP) * STEP), Math.max(0, end - 1));
  return { start: total === 0 ? 0 : start, end };
}

/**
 * Returns what the body of the table holds, in order: rows by index, and gaps by how many rows they stand for. The
 * row with the focus stays even when it is scrolled away, or the focus would be lost.
 * @param {{start: number, end: number, total: number, pinned: number}} what `pinned` is -1 for none
 * @returns {({row: number} | {gap: number, at: "before" | "between" | "after"})[]}
 */
export function segments({ start, end, total, pinned }) {
  const parts = [];
  const gap = (rows, at) => rows > 0 && parts.push({ gap: rows, at });
  const above = pinned >= 0 && pinned < start;
  const below = pinned >= end && pinned < total;
  if (above) {
    gap(pinned, "before");
    parts.push({ row: pinned });
    gap(start - pinned - 1, "between");
  } else gap(start, "before");
  for (let row = start; row < end; row += 1) parts.push({ row });
  if (below) {
    gap(pinned - end, "between");
    parts.push({ row: pinned });
    gap(total - pinned - 1, "after");
  } else gap(total - end, "after");
  return parts;
}

/**
 * Returns the height of a gap, in rows. What comes after the screen grows in steps as long as its end is far away: a page
 * that grows with each new row is drawn anew as a whole.
 * @param {{gap: number, at: "before" | "between" | "after"}} part
 */
export function heightOf({ gap, at }) {
  return at === "after" && gap > FAR ? Math.ceil(gap / FAR) * FAR : gap;
}
