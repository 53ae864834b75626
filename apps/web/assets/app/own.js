/** The writes of this page, by product and version, so that their events are known when they come around. */

const MOST = 500;
/** @type {Set<string>} */
const writes = new Set();

const keyOf = (id, version) => `${id} ${version}`;

/** @param {string} id @param {number} version */
export function rememberOwn(id, version) {
  writes.add(keyOf(id, version));
  if (writes.size > MOST) writes.delete(writes.values().next().value);
}

/** Whether this page caused the event. Crossings are news to whoever caused them too.
 * @param {import("./types.js").SoukEvent} event */
export function isOwn(event) {
  const alert = event.type === "LowStockWarning" || event.type === "StockReplenished";
  return !alert && (writes.has(keyOf(event.subject, event.data.version)) || (event.type === "ProductDeleted" && writes.has(keyOf(event.subject, -1))));
}
