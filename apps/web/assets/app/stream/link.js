/**
 * The page's way to the hub: the SharedWorker, or, where there is none or it does not start, the tabs among themselves
 * (`leader.js`). A browser may end the worker at any time and tells no page: then the port is dead, or another hub is
 * behind it, which says `begin`.
 */

/** A worker that says nothing for this long to a page that is looked at again is gone. */
const WORD_MILLIS = 4_000;

/**
 * @param {(message: any) => void} hear is called with what the hub says
 * @param {() => void} hello is called when there is a (new) hub to greet
 * @returns {(message: any) => void} to speak to the hub
 */
export function linkToHub(hear, hello) {
  /** @type {SharedWorker | null} */
  let worker = null;
  /** Whether it has ever said something. One that loads for long is not doubted. */
  let known = false;
  let doubt = null;
  /** The way through the tabs, once that is it. @type {((message: any) => void) | null} */
  let tabs = null;
  /** What is said until then. @type {any[]} */
  const waiting = [];

  const open = () => {
    try {
      const opened = new SharedWorker(new URL("worker.js", import.meta.url), { type: "module", name: "souk-stream" });
      worker = opened;
      known = false;
      opened.port.onmessage = ({ data }) => {
        known = true;
        clearTimeout(doubt);
        hear(data);
      };
      // Of a worker that runs, some browsers tell every error: that is no reason to leave it.
      opened.onerror = () => worker === opened && !known && share();
    } catch {
      share();
    }
  };
  const leave = () => {
    clearTimeout(doubt);
    if (!worker) return;
    const { port } = worker;
    worker = null;
    port.onmessage = null;
    // It may only be slow; nobody takes what it would hold for this page.
    port.postMessage({ kind: "bye" });
    port.close();
  };
  /** A second silence is not waited out: it may be one that the browser takes for alive. */
  const again = () => {
    leave();
    hear({ kind: "status", status: "reconnecting" });
    doubt = setTimeout(share, WORD_MILLIS);
    open();
    hello();
  };
  const share = async () => {
    leave();
    const { joinTabs } = await import("./leader.js");
    tabs = joinTabs(hear, hello);
    hello();
    for (const message of waiting.splice(0)) tabs(message);
  };

  if (globalThis.SharedWorker) open();
  else share();
  return (message) => {
    if (tabs) return tabs(message);
    // It is greeted as soon as it is there.
    if (!worker) return void (message.kind !== "hello" && waiting.push(message));
    worker.port.postMessage(message);
    if (known && (message.kind === "wake" || message.kind === "hello")) {
      clearTimeout(doubt);
      doubt = setTimeout(again, WORD_MILLIS);
    }
    return undefined;
  };
}
