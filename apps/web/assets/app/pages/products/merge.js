/** Three versions of a product become one: as it was when the editing began, as I want it, as it is now. */

/** What can be edited, in the order of the form. */
export const FIELDS = ["name", "sku", "category", "price", "stock", "lowStockThreshold", "description"];

/** Whether two values of a field mean the same. An empty text and none are the same thing to a reader. */
export const same = (a, b) => (a ?? "") === (b ?? "");

/** Returns the fields in which the two differ. @param {object} a @param {object} b */
export const differing = (a, b) => FIELDS.filter((field) => !same(a[field], b[field]));

/**
 * @typedef {{field: string, base: any, mine: any, theirs: any}} Conflict
 *
 * @param {object} base as it was @param {object} mine as it shall be @param {object} theirs as it is now
 * @returns {{merged: object, conflicts: Conflict[], taken: string[]}} `merged` holds mine where both changed a field;
 *   `taken` are the fields that others alone changed
 */
export function merge(base, mine, theirs) {
  const merged = { ...theirs };
  const conflicts = [];
  const taken = [];
  for (const field of FIELDS) {
    const iChanged = !same(base[field], mine[field]);
    const theyChanged = !same(base[field], theirs[field]);
    if (iChanged) merged[field] = mine[field];
    if (theyChanged && !iChanged) taken.push(field);
    if (iChanged && theyChanged && !same(mine[field], theirs[field])) {
      conflicts.push({ field, base: base[field], mine: mine[field], theirs: theirs[field] });
    }
  }
  return { merged, conflicts, taken };
}

/** Returns the merge patch (RFC 7396) that makes `from` into `to`; what is empty is null. @param {object} from @param {object} to */
export function patchOf(from, to) {
  return Object.fromEntries(differing(from, to).map((field) => [field, to[field] === "" || to[field] === undefined ? null : to[field]]));
}
