/**
 * Deleting with a way back: the row goes at once, the request a few seconds later. Leaving the page sends what still
 * waits; a crash in these seconds keeps the product, which is the safe side.
 */
import { api } from "../../api.js";
import { rememberOwn } from "../../own.js";
import { resync } from "../../stream/client.js";
import { dismissToast, showProblem, showToast } from "../../ui/toast.js";

const UNDO_MILLIS = 6_000;
/** @type {Map<string, (options?: object) => void>} */
const waiting = new Map();

/** @param {import("../../types.js").Product} product @param {() => void} bringBack to where it was hidden */
export function removeLater(product, bringBack) {
  const key = `delete-${product.id}`;
  let undone = false;
  const restore = () => {
    bringBack();
    // By now another list may be on the screen, which has never had it.
    resync.value += 1;
  };
  const send = async (options) => {
    if (!waiting.delete(product.id)) return;
    rememberOwn(product.id, -1);
    try {
      await api.remove(product.id, options);
    } catch (problem) {
      // Somebody was quicker: it is as it was wanted.
      if (problem.code === "not-found") return;
      restore();
      showProblem(problem, { title: `${product.name} was not deleted` });
    }
  };
  waiting.set(product.id, send);
  showToast({
    key, title: "Deleted", detail: product.name, icon: "trash", lasts: UNDO_MILLIS,
    action: {
      label: "Undo",
      run: () => {
        undone = true;
        waiting.delete(product.id);
        restore();
        requestAnimationFrame(() => focusRow(product.id));
      },
    },
    onGone: () => !undone && send(),
  });
}

/** What came back has the focus, where it is on the screen: keys go on from there. */
function focusRow(id) {
  const row = /** @type {HTMLElement | null} */ (document.querySelector(`[data-id="${id}"]`));
  const target = row?.hasAttribute("tabindex") ? row : /** @type {HTMLElement | null} */ (row?.querySelector("a, button"));
  target?.focus({ preventScroll: true });
}

// `pagehide` is the last that a page hears, also on phones; keepalive lets the request outlive it.
globalThis.addEventListener?.("pagehide", () => {
  for (const [id, send] of [...waiting]) {
    send({ keepalive: true, attempts: 1 });
    dismissToast(`delete-${id}`);
  }
});
