/** Rows that were deleted, or changed out of the list, leave it when nobody is at them. */
import { effect } from "../../html.js";

/** They stay this long, so that nobody wonders where they went. */
const FAREWELL_MILLIS = 1_200;
/** The row that has the focus. */
const rowWithin = () => document.activeElement?.closest?.("[data-id]")?.dataset.id;

/**
 * Sweeps the rows. Returns what ends it.
 * @param {import("./rows.js").Rows} rows @param {() => boolean} isPointed whether the pointer is in the list @param {() => string | undefined} [within]
 */
export function farewells(rows, isPointed, within = rowWithin) {
  let timer = null;
  const sweep = () => {
    const busy = within();
    timer = isPointed() || rows.sweep((id) => id === busy) ? setTimeout(sweep, FAREWELL_MILLIS) : null;
  };
  // Not with the events alone: what is changed here leaves with the answer.
  const end = effect(() => {
    if (rows.parting.value > 0) timer ??= setTimeout(sweep, FAREWELL_MILLIS);
  });
  return () => {
    clearTimeout(timer);
    end();
  };
}
