/**
 * Dialogs, in the middle or as a drawer along the side: the browser's own `<dialog>`, which keeps the focus inside and
 * gives it back. Escape, the cross and a press beside it ask `onClose`, and hand it their event: `cancel`, `click`,
 * `mousedown`; `close` where the browser did not wait for an answer.
 */
import { html, useEffect, useRef } from "../html.js";
import { Button } from "./button.js";
import { messagesIn } from "./messages.js";
import { loadStyle } from "./style.js";

await loadStyle("style/dialog.css");

let made = 0;

/**
 * @param {{title: any, drawer?: boolean, wide?: boolean, onClose: (event: Event) => void, onSubmit?: (event: Event) => void, footer?: any,
 *   children: any}} props with `onSubmit` its content is a form
 */
export function Dialog({ title, drawer, wide, onClose, onSubmit, footer, children }) {
  const ref = useRef(null);
  const id = useRef("");
  id.current ||= `dialog-${(made += 1)}`;
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    ref.current.querySelector("[data-first]")?.focus();
    const dialog = ref.current;
    const giveBack = messagesIn(dialog);
    return () => {
      giveBack();
      dialog.close();
      // What opened it may be gone, or be another row now.
      if (before?.isConnected) /** @type {HTMLElement} */ (before).focus();
    };
  }, []);
  const inside = html`<header><h2 id=${id.current}>${title}</h2><${Button} kind="quiet" icon="close" label="Close" onClick=${onClose} /></header>
    <div class="body">${children}</div>${footer && html`<footer>${footer}</footer>`}`;
  return html`<dialog ref=${ref} class=${`dialog ${drawer ? "drawer" : ""} ${wide ? "wide" : ""}`} aria-labelledby=${id.current}
    onCancel=${(event) => {
      event.preventDefault();
      onClose(event);
    }}
    onClose=${(event) => ref.current?.isConnected && onClose(event)}
    onMouseDown=${(event) => event.target === event.currentTarget && onClose(event)}>
    ${onSubmit ? html`<form novalidate onSubmit=${onSubmit}>${inside}</form>` : html`<div class="frame">${inside}</div>`}
  </dialog>`;
}
