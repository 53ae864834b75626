/** Names and figures of checks in the reader's words. */
import { compact, count, decimal, plural, tenths } from "../../format.js";

export const SERVICES = {
  api: "products and stock",
  notifications: "the event stream",
  analytics: "figures and archive",
  web: "this dashboard",
  souk: "everything on one port",
};

export const TONES = { ok: "good", degraded: "warn", unavailable: "bad", unreachable: "bad" };
export const STATUSES = { ok: "Well", degraded: "Needs a look", unavailable: "Down", unreachable: "Not reached" };
export const ICONS = { ok: "check", degraded: "warn", unavailable: "warn", unreachable: "warn" };

const CHECKS = { relay: "outbox relay", eventStore: "event store", pump: "log follower", stream: "readers", kafka: "Kafka" };
/** @param {string} name */
export const checkName = (name) => CHECKS[name] ?? name;

/** Turns `ringBytes` into "ring bytes". @param {string} name */
const figureName = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** @param {number} n */
export function bytes(n) {
  let unit = 0;
  let left = n;
  while (left >= 1024 && unit < UNITS.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left < 10 && unit > 0 ? tenths(left) : count(Math.round(left))} ${UNITS[unit]}`;
}

/** Returns a figure of a check: its name, and its value with a unit. @param {string} name @param {number} value */
export function figure(name, value) {
  if (/bytes$/i.test(name)) return { name: figureName(name.replace(/Bytes$/, "")), value: bytes(value) };
  if (/Seconds$/.test(name)) return { name: figureName(name.replace(/Seconds$/, "")), value: seconds(value) };
  return { name: figureName(name), value: compact(value) };
}

/** @param {number} n */
export function seconds(n) {
  if (n < 120) return `${n < 10 ? decimal(n) : count(n)} s`;
  if (n < 7_200) return plural(Math.round(n / 60), "minute");
  if (n < 172_800) return plural(Math.round(n / 3_600), "hour");
  return plural(Math.round(n / 86_400), "day");
}

/** @param {number | undefined} rate a second */
export const perSecond = (rate) => (rate === undefined ? "–" : `${rate < 10 ? decimal(rate) : compact(Math.round(rate))}/s`);
