/** The few choices that a browser remembers. Private windows may refuse to: then they last as long as the page. */

const kept = new Map();

/** @param {string} key @returns {string | null} */
export function remembered(key) {
  try {
    return localStorage.getItem(`souk.${key}`);
  } catch {
    return kept.get(key) ?? null;
  }
}

/** @param {string} key @param {string | null} value null forgets it */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(`souk.${key}`);
    else localStorage.setItem(`souk.${key}`, value);
  } catch {
    kept.set(key, value);
  }
}

/** Returns a new name that nobody else has. `randomUUID` is missing where the page came over plain http from another
 * machine, which is how a dashboard is often tried. */
export function uniqueId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
