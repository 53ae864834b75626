/**
 * Which stretch of time is shown, and in which steps. Time here is when things happened: a replayed shop lies years in
 * the past, so that ranges end where its data ends, and not now.
 */

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** @typedef {"minute" | "hour" | "day"} Step */
export const LENGTHS = /** @type {const} */ ({ minute: MINUTE, hour: HOUR, day: DAY });
const STEPS = /** @type {Step[]} */ (["minute", "hour", "day"]);

/** More points than this are no picture any more, and many pages to fetch. */
const MOST_POINTS = 1_500;
/** The finest step that makes no more points than this is taken by default. */
const GOOD_POINTS = 320;
/** A shop that is silent for so long was replayed, or closed: what lies beyond is another stretch. */
const SILENCE = 60 * DAY;

export const PRESETS = [
  ["data", "Where the data is"],
  ["hour", "Last hour"],
  ["day", "Last day"],
  ["week", "Last 7 days"],
  ["month", "Last 30 days"],
  ["all", "All time"],
  ["custom", "From … to …"],
];
const SPANS = { hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY };

/**
 * Returns the stretch that has most of what was sold (or, without sales, of what happened), from totals by day.
 * @param {{bucket: number, sold: number, events: number}[]} days oldest first, `bucket` in milliseconds
 * @returns {{from: number, to: number} | null} null when there is nothing
 */
export function extentOf(days) {
  const selling = days.filter((day) => day.sold > 0);
  const shown = selling.length > 0 ? selling : days.filter((day) => day.events > 0);
  const stretches = [];
  for (const day of shown) {
    const last = stretches.at(-1);
    const weight = selling.length > 0 ? day.sold : day.events;
    if (last && day.bucket - last.to < SILENCE) {
      last.to = day.bucket + DAY;
      last.weight += weight;
    } else stretches.push({ from: day.bucket, to: day.bucket + DAY, weight });
  }
  // Of two that weigh the same, the later.
  const best = stretches.reduce((best, one) => (best && best.weight > one.weight ? best : one), null);
  return best && { from: best.from, to: best.to };
}

/**
 * @param {Record<string, string>} params of the route: range, from, to, step
 * @param {{extent: {from: number, to: number} | null, all: {from: number, to: number} | null, newest: number}} known `newest` is
 *   when the latest thing of all happened
 * @returns {{preset: string, from: number, to: number, step: Step, steps: Step[]} | null} null when there is nothing to show
 */
export function rangeOf(params, { extent, all, newest }) {
  if (!extent || !all) return null;
  const preset = PRESETS.some(([name]) => name === params.range) ? params.range : "data";
  let { from, to } = extent;
  if (preset === "all") ({ from, to } = all);
  if (preset === "custom") {
    from = dayParam(params.from) ?? extent.from;
    to = (dayParam(params.to) ?? extent.to - DAY) + DAY;
    if (to <= from) to = from + DAY;
  }
  if (preset in SPANS) {
    // Up to and with the minute in which the latest thing happened, whatever stretch has most.
    to = Math.floor(newest / MINUTE) * MINUTE + MINUTE;
    from = to - SPANS[preset];
  }
  const points = (step) => Math.ceil((to - from) / LENGTHS[step]);
  const steps = STEPS.filter((step) => points(step) <= MOST_POINTS && (step === "minute" || points(step) > 1));
  const allowed = steps.length > 0 ? steps : /** @type {Step[]} */ (["day"]);
  const step = allowed.find((one) => one === params.step) ?? allowed.find((one) => points(one) <= GOOD_POINTS) ?? allowed.at(-1);
  const length = LENGTHS[step];
  return { preset, from: Math.floor(from / length) * length, to: Math.ceil(to / length) * length, step, steps: allowed };
}

/**
 * Returns the start of the day in which the latest sale was (or, without sales, the latest thing); of all days, as what is
 * sold in a shop that was filled with a sample is another stretch than the one with most. Undefined without days.
 * @param {{bucket: number, sold: number}[]} days oldest first
 */
export const lastDayOf = (days) => (days.filter(({ sold }) => sold > 0).at(-1) ?? days.at(-1))?.bucket;

/** Names what was chosen: the ends of a range move with the data, which makes it no other range. @param {{preset: string, from: number, to: number, step: Step}} range */
export const choiceOf = ({ preset, from, to, step }) => `${step} ${preset === "custom" ? `${from} ${to}` : preset}`;

/**
 * Whether what was fetched for one range can be drawn as another: the same choice, which has gone on with the data since.
 * @param {{preset: string, from: number, to: number, step: Step}} fetched @param {typeof fetched} range
 */
export const covers = (fetched, range) => choiceOf(fetched) === choiceOf(range) && fetched.from <= range.from && range.from < fetched.to;

/** Reads a day such as 2010-12-01, as UTC, which is how the services count days. @param {string | undefined} text */
function dayParam(text) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text ?? "")) return null;
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(time) ? null : time;
}

/** @param {number} time milliseconds @returns {string} as an input of type date has it */
export const dayText = (time) => new Date(time).toISOString().slice(0, 10);
