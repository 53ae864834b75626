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

/** The address that is shown; and each entry of the browser's history says which one is behind it, where we know. */
let here = globalThis.location?.hash ?? "";
/** Whether a step back is on its way. */
let goingBack = false;

function arrived() {
  goingBack = false;
  // An entry without a word of ours was made by a link, from where we were.
  if (history.state === null) history.replaceState({ behind: here }, "");
  here = location.hash;
  route.value = parseRoute(here);
}
if (globalThis.history && history.state === null) history.replaceState({ behind: null }, "");
globalThis.addEventListener?.("hashchange", arrived);
globalThis.addEventListener?.("popstate", arrived);

function show(next, replace) {
  const hash = formatRoute(next);
  if (hash === location.hash) return;
  // replaceState says nothing to anybody, so the signal is set here; pushState the same.
  if (replace) history.replaceState(history.state, "", hash);
  else history.pushState({ behind: here }, "", hash);
  here = hash;
  route.value = parseRoute(hash);
}

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

/** Takes a step of this page back: by going back where that leads there, so that Back does not bring it again. */
export function takeBack(patch) {
  const { page, params } = route.value;
  const hash = formatRoute({ page, params: { ...params, ...patch } });
  // Going back takes a moment: whoever asks again meanwhile has it in place, and never goes back twice.
  const back = !goingBack && history.state?.behind === hash;
  goingBack = back;
  if (back) history.back();
  else show(parseRoute(hash), true);
}
