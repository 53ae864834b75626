/** What a screen reader is told: one polite region, and no more than one sentence in a few seconds. */
import { html, signal } from "../html.js";

const PAUSE_MILLIS = 3_000;
const spoken = signal("");
let next = "";
let timer = null;

/** Says it when there is room; of several that wait, the last. @param {string} sentence */
export function announce(sentence) {
  next = sentence;
  if (timer !== null) return;
  speakNext();
}

function speakNext() {
  timer = null;
  if (!next) return;
  // The same sentence again would not be read: the region has to change.
  spoken.value = next === spoken.peek() ? `${next}\u00a0` : next;
  next = "";
  timer = setTimeout(speakNext, PAUSE_MILLIS);
}

/** Is in the page from its begin: regions that come with their content are not read. */
export function LiveRegion() {
  return html`<div class="vh" role="status" aria-live="polite">${spoken.value}</div>`;
}
