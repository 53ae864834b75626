/** Where each service is, and what it says of itself. */
import { config } from "../../config.js";

/** How long an answer is waited for: a health page looks at everything, within 5 s. */
const PATIENCE_MILLIS = 6_000;
const STREAM = /\/events\/stream\/?$/;

/**
 * @typedef {object} Service
 * @property {string} name
 * @property {string} url without a slash at its end
 *
 * @typedef {object} Check
 * @property {string} name
 * @property {"ok" | "degraded" | "unavailable"} status
 * @property {string} detail
 * @property {Record<string, number>} figures
 *
 * @typedef {object} Health
 * @property {"ok" | "degraded" | "unavailable" | "unreachable"} status
 * @property {Check[]} checks
 * @property {string} [version]
 * @property {string} [backend]
 * @property {number} [uptimeSeconds]
 */

const base = (url) => new URL(url, document.baseURI).href.replace(/[?#].*$/, "").replace(/\/+$/, "");

/** Returns the services; where several share an address they are one. @returns {Service[]} */
export function services() {
  const all = [
    { name: "api", url: base(config.apiUrl) },
    { name: "notifications", url: base(config.sseUrl).replace(STREAM, "") },
    { name: "analytics", url: base(config.analyticsUrl) },
    { name: "web", url: base(".") },
  ];
  const one = all.every(({ url }) => url === all[0].url);
  return one ? [{ name: "souk", url: all[0].url }] : all;
}

/** @param {any} body of `/health` @returns {Health} */
export function healthOf(body) {
  const checks = Object.entries(body.checks ?? {}).map(([name, { status, detail, ...figures }]) => ({ name, status, detail, figures }));
  return { status: body.status, checks, version: body.version, backend: body.backend, uptimeSeconds: body.uptimeSeconds };
}

/** Asks a service how it is; one that cannot be reached is an answer, too. @param {Service} service @returns {Promise<Health>} */
export async function askHealth({ name, url }) {
  try {
    const answer = await fetch(`${url}/health`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MILLIS) });
    // 503 has the same body, which says why.
    return healthOf(await answer.json());
  } catch {
    const detail = `Nothing answers at ${url}. Start the service (souk ${name === "souk" ? "up" : name}), or see its log; if it runs, see whether this browser may reach it there, and whether CORS_ALLOWED_ORIGINS lets ${location.origin} in.`;
    return { status: "unreachable", checks: [{ name: "address", status: "unavailable", detail, figures: {} }] };
  }
}

/** Reads a service's metrics. @param {Service} service @returns {Promise<string>} "" when it cannot be had */
export async function askMetrics({ url }) {
  try {
    const answer = await fetch(`${url}/metrics`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MILLIS) });
    return answer.ok ? await answer.text() : "";
  } catch {
    return "";
  }
}
