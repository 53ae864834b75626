/**
 * The pages, in the order of the navigation. Each is fetched when it is first visited: `load` returns a module whose
 * `default` is the page's component. `keys` is what follows `g` to go there.
 */
export const PAGES = [
  { name: "products", title: "Products", icon: "products", keys: "p", load: () => import("./pages/products.js") },
  { name: "low-stock", title: "Low stock", icon: "low", keys: "l", load: () => import("./pages/low-stock.js") },
  { name: "notifications", title: "Notifications", icon: "bell", keys: "n", load: () => import("./pages/notifications.js") },
];

/** @param {string} name */
export const pageNamed = (name) => PAGES.find((page) => page.name === name);
