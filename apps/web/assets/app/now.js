/** What time it is, for words like "3 min. ago": whoever reads it is drawn anew twice a minute. */
import { serverNow } from "./config.js";
import { signal } from "./html.js";

const TICK_MILLIS = 30_000;
export const now = signal(0);

/** The server's time now, in milliseconds; draws the component that asks again when it has gone on. */
export function currentTime() {
  return Math.max(now.value, serverNow());
}

setInterval(() => {
  if (!globalThis.document?.hidden) now.value = serverNow();
}, TICK_MILLIS).unref?.();
