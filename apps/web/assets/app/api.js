/**
 * Calls of the services: parsed JSON, or a thrown `Problem`. Reads are repeated when the network fails; writes only
 * where that cannot do harm, which is where they carry an `Idempotency-Key`.
 */
import { config } from "./config.js";
import { Problem, problemOf, unreachable } from "./problem.js";
import { retrying } from "./retry.js";
import { uniqueId } from "./storage.js";

const TIMEOUT_MILLIS = 15_000;
const ATTEMPTS = 3;

/**
 * @param {string} what who is asked, for messages
 * @param {string} url
 * @param {{method?: string, query?: Record<string, any>, body?: any, ifMatch?: string, idempotencyKey?: string,
 *   mergePatch?: boolean, signal?: AbortSignal, timeoutMillis?: number, keepalive?: boolean}} [options]
 */
async function once(what, url, { method = "GET", query, body, ifMatch, idempotencyKey, mergePatch, signal, timeoutMillis, keepalive } = {}) {
  const target = new URL(url, location.href);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") target.searchParams.set(name, String(value));
  }
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = mergePatch ? "application/merge-patch+json" : "application/json";
  if (ifMatch) headers["If-Match"] = ifMatch;
  if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
  const late = AbortSignal.timeout(timeoutMillis ?? TIMEOUT_MILLIS);
  const stop = signal ? anyOf(signal, late) : late;
  let answer;
  try {
    answer = await fetch(target, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: stop, keepalive });
    if (answer.ok) return answer.status === 204 ? null : await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(what, late.aborted ? late.reason : error);
  }
  throw await problemOf(answer);
}

/** `AbortSignal.any` is younger than the browsers we serve. @param {AbortSignal[]} signals */
function anyOf(...signals) {
  if (AbortSignal.any) return AbortSignal.any(signals);
  const both = new AbortController();
  for (const one of signals) one.addEventListener("abort", () => both.abort(one.reason));
  return both.signal;
}

/** Calls, and repeats where repeating is safe. */
function call(what, url, options = {}) {
  const safe = !options.method || options.method === "GET" || options.method === "DELETE" || options.idempotencyKey;
  const attempts = safe ? options.attempts ?? ATTEMPTS : 1;
  return retrying(() => once(what, url, options), {
    attempts,
    signal: options.signal,
    again: (error) => error instanceof Problem && error.passing,
  });
}

const product = (id) => `${config.apiUrl}/products/${encodeURIComponent(id)}`;

/** The api: products and their stock. Whatever creates or adjusts gets a key, so that a retry never does it twice. */
export const api = {
  /** @returns {Promise<{items: import("./types.js").Product[], nextCursor: string | null}>} */
  list: (query, signal) => call("api", `${config.apiUrl}/products`, { query, signal }),
  get: (id, signal) => call("api", product(id), { signal }),
  create: (body, idempotencyKey = uniqueId()) => call("api", `${config.apiUrl}/products`, { method: "POST", body, idempotencyKey }),
  patch: (id, body, version) => call("api", product(id), { method: "PATCH", body, mergePatch: true, ifMatch: `"${version}"` }),
  remove: (id, options) => call("api", product(id), { method: "DELETE", ...options }),
  /** @returns {Promise<{product: import("./types.js").Product, previousStock: number}>} */
  adjust: (id, body, idempotencyKey = uniqueId()) =>
    call("api", `${product(id)}/stock-adjustments`, { method: "POST", body, idempotencyKey }),
};

/** What the api says of itself. */
export const health = () => call("api", `${config.apiUrl}/health`);

/** Analytics: figures by window, recent events, health of the pipeline. `path` begins with a slash. */
export function analytics(path, query, options = {}) {
  return call("analytics service", config.analyticsUrl + path, { query, ...options });
}

/** Calls the server that the page came from, which is the dashboard's own. `path` is relative. */
export function own(path, options = {}) {
  return call("dashboard's server", new URL(path, document.baseURI).href, options);
}
