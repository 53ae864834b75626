/**
 * The pages, in the order of the navigation. Each is fetched when it is first visited: `load` returns a module whose
 * `default` is the page's component. `keys` is what follows `g` to go there.
 */
export const PAGES = [
  { name: "products", title: "Products", icon: "products", keys: "p", load: () => import("./pages/products.js") },
  { name: "low-stock", title: "Low stock", icon: "low", keys: "l", load: () => import("./pages/low-stock.js") },
  { name: "notifications", title: "Notifications", icon: "bell", keys: "n", load: () => import("./pages/notifications.js") },
  { name: "analytics", title: "Analytics", icon: "chart", keys: "a", load: () => import("./pages/analytics.js") },
  { name: "operations", title: "Operations", icon: "pulse", keys: "o", load: () => import("./pages/operations.js") },
];

/** Pages that are here, by name. @type {Map<string, any>} */
const loaded = new Map();

/** @param {string} name @returns {any} the component, or undefined while it is not here */
export const loadedPage = (name) => loaded.get(name);

/** Fetches a page's component. @param {string} name */
export async function loadPage(name) {
  const page = pageNamed(name);
  if (page && !loaded.has(name)) loaded.set(name, (await page.load()).default);
}

/** @param {string} name */
export const pageNamed = (name) => PAGES.find((page) => page.name === name);
