/**
 * Toasts: what has just happened, and what can still be done about it. A toast with a `key` takes the place of the one
 * before, so bursts stay one. None is the only record of anything.
 */
import { html, signal } from "../html.js";
import { Button } from "./button.js";
import { Icon } from "./icons.js";
import { announce } from "./live.js";

const MOST = 3;
const LASTS_MILLIS = 6_000;

/**
 * @typedef {object} Toast
 * @property {string} key
 * @property {string} title
 * @property {any} [detail]
 * @property {"good" | "warn" | "bad" | "info"} [tone]
 * @property {string} [icon]
 * @property {{label: string, run: () => void}} [action]
 * @property {number} [lasts] milliseconds; Infinity stays until it is dismissed
 * @property {() => void} [onGone] called when it leaves, however it does
 * @property {boolean} [quiet] not read aloud
 * @property {boolean} [passing] told elsewhere too: it makes room for all others, and is not shown where there is none
 */

/** @type {import("../../vendor/signals.js").Signal<Toast[]>} */
const toasts = signal([]);
const timers = new Map();
let held = false;
let made = 0;
/** Where they are in the page. @type {HTMLElement | null} */
let region = null;
/** What had the focus before it came in here. @type {any} */
let before = null;

/** Shows a toast, or changes the one with its key. Returns its key. @param {Partial<Toast> & {title: string}} toast */
export function showToast(toast) {
  const shown = { tone: "info", lasts: LASTS_MILLIS, key: `toast-${(made += 1)}`, ...toast };
  const others = toasts.peek().filter((one) => one.key !== shown.key);
  const place = toasts.peek().findIndex((one) => one.key === shown.key);
  if (place < 0) {
    while (others.length >= MOST) {
      const old = leastOf(others) ?? (shown.action && !shown.passing ? others[0] : null);
      if (!old && shown.passing) {
        leave(shown);
        return shown.key;
      }
      // What can still be undone is not cut short by what only tells: that is one more for a while.
      if (!old) break;
      others.splice(others.indexOf(old), 1);
      passFocus(old, others);
      leave(old);
    }
    others.push(shown);
  } else others.splice(place, 0, shown);
  toasts.value = others;
  start(shown);
  if (!shown.quiet) announce([shown.title, typeof shown.detail === "string" ? shown.detail : ""].filter(Boolean).join(". "));
  return shown.key;
}

/** Room is made by what is told elsewhere too, then by what asks nothing. @param {Toast[]} shown */
const leastOf = (shown) => shown.find((one) => one.passing) ?? shown.find((one) => !one.action);

/** Shows what went wrong, as the problem document says it. @param {any} problem @param {Partial<Toast>} [more] */
export function showProblem(problem, more = {}) {
  const id = problem.requestId ? ` (request ${problem.requestId})` : "";
  return showToast({ tone: "bad", icon: "warn", lasts: 12_000, title: problem.title ?? "Something went wrong", detail: `${problem.detail ?? problem.message}${problem.status >= 500 ? id : ""}`, ...more });
}

/** @param {string} key */
export function dismissToast(key) {
  const gone = toasts.peek().find((one) => one.key === key);
  if (!gone) return;
  const rest = toasts.peek().filter((one) => one.key !== key);
  passFocus(gone, rest);
  toasts.value = rest;
  leave(gone);
  // Not every browser says that the pointer or the focus is gone when what had it is.
  if (region) holdAll(rest.length > 0 && region.matches(hovers() ? ":hover, :focus-within" : ":focus-within"));
}

/** Of what was touched, `:hover` holds until something else is. */
const hovers = () => matchMedia("(hover: hover)").matches;

/**
 * The focus does not go with what leaves. Who works with keys goes on with the next toast, others where they were.
 * @param {Toast} gone @param {Toast[]} rest what stays
 */
function passFocus(gone, rest) {
  const shown = /** @type {HTMLElement[]} */ ([...(region?.children ?? [])]);
  const at = shown.findIndex((one) => one.dataset.key === gone.key);
  const inside = shown[at]?.querySelector(":focus");
  if (!inside) return;
  const stays = (one) => rest.some(({ key }) => key === one.dataset.key);
  const next = inside.matches(":focus-visible") && (shown.slice(at).find(stays) ?? shown.slice(0, at).reverse().find(stays));
  // What is not in the page any more, or cannot be seen, does not take it.
  for (const to of [next && next.querySelector("button"), before, document.getElementById("main")]) {
    if (to && inside.matches(":focus")) to.focus({ preventScroll: true });
  }
}

function leave(toast) {
  clearTimeout(timers.get(toast.key));
  timers.delete(toast.key);
  toast.onGone?.();
}

function start(toast) {
  clearTimeout(timers.get(toast.key));
  if (held || !Number.isFinite(toast.lasts)) return;
  timers.set(toast.key, setTimeout(() => dismissToast(toast.key), toast.lasts));
}

/** While the pointer or the focus is on them, none goes away. @param {boolean} hold */
function holdAll(hold) {
  if (held === hold) return;
  held = hold;
  for (const toast of toasts.peek()) {
    if (hold) clearTimeout(timers.get(toast.key));
    else start(toast);
  }
}

const place = (node) => (region = node);

function entered({ currentTarget, relatedTarget }) {
  if (relatedTarget && !currentTarget.contains(relatedTarget)) before = relatedTarget;
  holdAll(true);
}

export function Toasts() {
  if (toasts.value.length === 0 && held) holdAll(false);
  return html`<section class="toasts" aria-label="Messages" ref=${place} onMouseEnter=${() => holdAll(true)} onMouseLeave=${() => holdAll(false)}
    onFocusIn=${entered} onFocusOut=${(event) => !event.currentTarget.contains(event.relatedTarget) && holdAll(false)}>
    ${toasts.value.map(
      (toast) => html`<div class=${`toast tone-${toast.tone}`} key=${toast.key} data-key=${toast.key}>
        <${Icon} name=${toast.icon ?? (toast.tone === "good" ? "check" : "info")} />
        <div class="grow"><div class="title">${toast.title}</div>${toast.detail && html`<div class="detail">${toast.detail}</div>`}</div>
        <div class="actions">
          ${toast.action && html`<${Button} size="small" onClick=${() => {
            toast.action.run();
            dismissToast(toast.key);
          }}>${toast.action.label}<//>`}
          <${Button} kind="quiet" size="small" icon="close" label="Dismiss" onClick=${() => dismissToast(toast.key)} />
        </div>
      </div>`,
    )}
  </section>`;
}
