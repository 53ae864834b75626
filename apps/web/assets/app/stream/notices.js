/** What of an event is worth keeping for people: who, what, how much; and how urgent. */

/** How many of each group are kept. Sales come by the thousand and must not push out what is urgent. */
export const KEPT = { alert: 1000, catalog: 500, stock: 250 };

const KINDS = {
  LowStockWarning: ["low", "alert"],
  StockReplenished: ["replenished", "alert"],
  ProductCreated: ["created", "catalog"],
  ProductDeleted: ["deleted", "catalog"],
};

/** Fields whose changes are bookkeeping. */
const BOOKKEEPING = new Set(["stock", "lowStock", "version", "updatedAt"]);

/**
 * Returns the notice of an event; its `seq` is given by the history.
 * @param {import("../types.js").SoukEvent} event
 * @returns {Omit<import("../types.js").Notice, "seq">}
 */
export function noticeOf(event) {
  const { data } = event;
  const common = { id: event.id, at: event.time, seller: event.sellerid, productId: event.subject, name: data.product?.name ?? "" };
  const known = KINDS[event.type];
  if (known) {
    const [kind, group] = known;
    const { stock = data.product?.stock, previousStock, threshold } = data;
    return { ...common, kind, group, data: { stock, previousStock, threshold, price: data.product?.price } };
  }
  const changes = data.changes ?? {};
  const edited = Object.keys(changes).filter((field) => !BOOKKEEPING.has(field));
  return {
    ...common,
    kind: edited.length > 0 ? "edited" : "stock",
    group: edited.length > 0 ? "catalog" : "stock",
    data: { fields: edited, changes, reason: data.reason, reference: data.reference, occurredAt: data.occurredAt },
  };
}

/**
 * Returns the notice of a gap. `since` is when the last event before it happened, where that is known.
 * @param {{reason: string, from: string, to: string}} gap @param {number} now @param {string} [since]
 */
export function noticeOfGap(gap, now, since) {
  const at = new Date(now).toISOString();
  return { id: `gap-${now}`, at, kind: "gap", group: "alert", seller: "", productId: "", name: "", data: { ...gap, since } };
}
