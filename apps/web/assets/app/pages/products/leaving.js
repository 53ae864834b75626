/** Products that are about to be deleted: no list shows them, whichever page is open by then. @type {Set<string>} */
export const leaving = new Set();
