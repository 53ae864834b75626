/** Keys that work everywhere: `/` searches, `g` and a letter goes to a page, `n` makes new, `?` helps. */
import { signal } from "../html.js";
import { PAGES } from "../pages.js";
import { go } from "../route.js";
import { remember, remembered } from "../storage.js";

/** After `g`, this long a letter is waited for. */
const CHORD_MILLIS = 1_500;

/**
 * Whether they do. Who speaks to the machine, or hits keys unawares, turns them off (WCAG 2.1.4): then keys act only on
 * what has the focus.
 */
export const keysAnywhere = signal(remembered("keys") !== "off");

/** @param {boolean} on */
export function setKeysAnywhere(on) {
  keysAnywhere.value = on;
  remember("keys", on ? null : "off");
}

/** @param {EventTarget | null} target */
const isTyping = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** @param {import("../../vendor/signals.js").Signal<string>} overlay */
export function listenToKeys(overlay) {
  let chord = 0;
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (!keysAnywhere.peek() || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const wanted = Date.now() - chord < CHORD_MILLIS ? PAGES.find((page) => page.keys === event.key) : null;
    chord = event.key === "g" ? Date.now() : 0;
    if (wanted) go(wanted.name);
    else if (event.key === "/") document.querySelector("[data-search]")?.focus();
    else if (event.key === "n") document.querySelector("[data-new]")?.click();
    else if (event.key === "?") overlay.value = "keys";
    else return;
    event.preventDefault();
  };
  addEventListener("keydown", press);
  return () => removeEventListener("keydown", press);
}
