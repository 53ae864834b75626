/** The SharedWorker: one for all tabs of this browser, with the one connection to the stream. */
import { openHub } from "./hub.js";

const hub = openHub();

self.addEventListener("connect", (event) => {
  const [port] = /** @type {MessageEvent} */ (event).ports;
  // Messages wait in the port until it is started.
  hub.then((ready) => {
    const hear = ready.connect(port);
    port.onmessage = ({ data }) => hear(data);
  });
});
