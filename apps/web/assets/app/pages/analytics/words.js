/** Times and numbers of charts, in the reader's manner. Days are the services' own, which are UTC's. */

const make = (options) => new Intl.DateTimeFormat(undefined, options);
const LABELS = {
  minute: make({ dateStyle: "medium", timeStyle: "short" }),
  hour: make({ dateStyle: "medium", timeStyle: "short" }),
  day: make({ dateStyle: "medium", timeZone: "UTC" }),
};
const TICKS = [false, true].map((utc) => {
  const zone = utc ? { timeZone: "UTC" } : {};
  return {
    second: make({ timeStyle: "medium", ...zone }),
    time: make({ hour: "2-digit", minute: "2-digit", ...zone }),
    day: make({ day: "numeric", month: "short", ...zone }),
    month: make({ month: "short", year: "numeric", ...zone }),
    year: make({ year: "numeric", ...zone }),
  };
});
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

const DAY_SECONDS = 86_400;

/** Names a bucket. @param {number} time its start @param {import("./range.js").Step} step */
export const bucketLabel = (time, step) => LABELS[step].format(time);

/** Names a tick of the axis. @param {number} time @param {number} increment seconds between ticks @param {import("./range.js").Step} step */
export function tickLabel(time, increment, step) {
  const kinds = TICKS[step === "day" ? 1 : 0];
  if (increment >= 365 * DAY_SECONDS) return kinds.year.format(time);
  if (increment >= 28 * DAY_SECONDS) return kinds.month.format(time);
  if (increment >= DAY_SECONDS) return kinds.day.format(time);
  const at = new Date(time);
  const midnight = step === "day" ? at.getUTCHours() === 0 && at.getUTCMinutes() === 0 : at.getHours() === 0 && at.getMinutes() === 0;
  if (midnight) return kinds.day.format(time);
  return (increment < 60 ? kinds.second : kinds.time).format(time);
}

/** @param {number} value */
export const axisNumber = (value) => short.format(value);
