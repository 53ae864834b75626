/** What a browser has for a hub to read the stream with. Import it before what reads. */

/** @param {string} name */
export const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

/** All that were opened, the newest last. */
export const streams = [];

class EventSource {
  constructor() {
    this.heard = {};
    streams.push(this);
  }
  addEventListener(name, run) {
    this.heard[name] = run;
  }
  ready() {
    this.heard.ready({ data: "{}", lastEventId: "log-1" });
  }
  close() {}
}
define("EventSource", EventSource);
