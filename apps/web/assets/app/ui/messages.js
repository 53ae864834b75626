/**
 * Where toasts are, and what is read aloud: at the end of the page, or in the topmost dialog. An open dialog makes
 * everything beside it inert, so that nobody could press what a toast offers, nor hear it.
 */
import { html, render } from "../html.js";
import { LiveRegion } from "./live.js";
import { Toasts } from "./toast.js";

/** @type {HTMLElement | null} */
let host = null;
/** @type {HTMLDialogElement[]} */
const open = [];

const place = () => host && (open.at(-1) ?? document.body).append(host);

/** Puts them into the page, where they stay. */
export function showMessages() {
  host = document.createElement("div");
  place();
  render(html`<${Toasts} /><${LiveRegion} />`, host);
}

/** Takes them into a dialog that opens. Returns what brings them back. @param {HTMLDialogElement} dialog */
export function messagesIn(dialog) {
  open.push(dialog);
  place();
  return () => {
    open.splice(open.indexOf(dialog), 1);
    place();
  };
}
