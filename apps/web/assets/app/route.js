/**
 * Where the reader is: `#/products?sort=-createdAt&q=lamp`. Everything that a link should bring back is in it.
 */
import { signal } from "./html.js";

export const HOME = "products";

/**
 * @typedef {{page: string, params: Record<string, string>}} Route
 * @param {string} hash with or without its `#`
 * @returns {Route}
 */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const page = path.replace(/^\/+|\/+$/g, "") || HOME;
  return { page, params: Object.fromEntries(new URLSearchParams(query)) };
}

/** Returns the hash of a route; empty parameters are left away. @param {Route} route */
export function formatRoute({ page, params }) {
  const set = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return `#/${page}${query ? `?${query}` : ""}`;
}

/** @type {import("../vendor/signals.js").Signal<Route>} */
export const route = signal(parseRoute(globalThis.location?.hash ?? ""));

globalThis.addEventListener?.("hashchange", () => {
  route.value = parseRoute(location.hash);
});

function show(next, replace) {
  const hash = formatRoute(next);
  if (hash === location.hash) return;
  // replaceState says nothing to anybody, so the signal is set here; pushState the same.
  history[replace ? "replaceState" : "pushState"](null, "", hash);
  route.value = parseRoute(hash);
}

globalThis.addEventListener?.("popstate", () => {
  route.value = parseRoute(location.hash);
});

/** Returns the link to a page; the seller comes along. @param {string} page @param {Record<string, any>} [params] */
export function linkTo(page, params = {}) {
  const { seller } = route.value.params;
  return formatRoute({ page, params: { ...(seller ? { seller } : {}), ...params } });
}

/** Goes to a page. @param {string} page @param {Record<string, any>} [params] */
export function go(page, params = {}) {
  show(parseRoute(linkTo(page, params)), false);
}

/** Changes parameters of this page; null or "" takes one away. Typing replaces, choices are steps to go back to. */
export function setParams(patch, { replace = false } = {}) {
  const { page, params } = route.value;
  show({ page, params: { ...params, ...patch } }, replace);
}
