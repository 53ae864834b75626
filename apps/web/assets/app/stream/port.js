/**
 * One page, as the hub sees it. A page takes a batch and says so; until then what comes is held, up to a bound. A page
 * that is frozen or gone so costs a fixed amount, and is told to read anew when it comes back.
 */

const MOST_HELD = 5_000;
/** What comes after a pause goes at once. In a flood a page is painted so often and no more: each picture costs a processor. */
const PAUSE_MILLIS = 20;

export class Port {
  /** @param {{postMessage: (message: any) => void}} channel */
  constructor(channel) {
    this.channel = channel;
    this.seller = "";
    /** @type {import("../types.js").SoukEvent[]} */
    this.held = [];
    this.overflowed = false;
    this.awaiting = false;
    this.sentAt = 0;
    this.timer = null;
  }

  /** @param {any} message */
  send(message) {
    this.channel.postMessage(message);
  }

  /** @param {import("../types.js").SoukEvent} event */
  push(event) {
    if (this.seller && event.sellerid !== this.seller) return;
    if (this.held.length >= MOST_HELD) {
      this.held = [];
      this.overflowed = true;
    }
    this.held.push(event);
    this.#later();
  }

  #later() {
    if (this.awaiting || this.timer !== null || (this.held.length === 0 && !this.overflowed)) return;
    const pause = Math.max(0, this.sentAt + PAUSE_MILLIS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = null;
      this.sentAt = Date.now();
      this.awaiting = true;
      this.send({ kind: "events", events: this.held, overflowed: this.overflowed });
      this.held = [];
      this.overflowed = false;
    }, pause);
  }

  /** The page has taken the last batch. */
  taken() {
    this.awaiting = false;
    this.#later();
  }
}
