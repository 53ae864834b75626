/** What everybody has to know: the network is gone, souk does not answer, something was missed. */
import { html, useEffect, useState } from "../html.js";
import { go } from "../route.js";
import { gap, status, wasLive } from "../stream/client.js";
import { Button } from "../ui/button.js";
import { Icon } from "../ui/icons.js";
import { pageNamed } from "../pages.js";

/** Shorter breaks are nobody's concern: a restart of the server takes about this long. */
const PATIENCE_MILLIS = 2_500;

export function Banner() {
  const now = status.value;
  const [slow, setSlow] = useState(false);
  const away = now === "reconnecting" || now === "offline";
  useEffect(() => {
    setSlow(false);
    if (!away) return undefined;
    const timer = setTimeout(() => setSlow(true), PATIENCE_MILLIS);
    return () => clearTimeout(timer);
  }, [away]);
  return html`<div class="banner" role="status">
    ${now === "offline" && html`<div class="notice tone-bad"><${Icon} name="warn" /><div class="grow"><span class="title">You are offline.</span> What you see may be old. It catches up by itself when the network is back.</div></div>`}
    ${now === "reconnecting" && slow && html`<div class="notice tone-warn"><${Icon} name="refresh" /><div class="grow"><span class="title">Reconnecting.</span> ${wasLive.value ? "The stream does not answer. Nothing is lost: it goes on where it was." : "The stream does not answer yet. Is souk running?"}</div></div>`}
    ${now === "gap" && html`<div class="notice tone-warn"><${Icon} name="gap" /><div class="grow"><span class="title">Some events were missed.</span> ${GAPS[gap.value.reason] ?? "The log could not go on where this browser was."} Lists were read anew.</div>
      <div class="row">${pageNamed("notifications") && html`<${Button} size="small" onClick=${() => go("notifications")}>Catch up<//>`}
      <${Button} size="small" kind="quiet" onClick=${() => (gap.value = null)}>Dismiss<//></div></div>`}
  </div>`;
}

/** In words, what the stream says about a gap. */
export const GAPS = {
  expired: "They are older than what the log holds.",
  "too-slow": "This browser was too far behind, and the log let go of them.",
  "unknown-log": "The shop's log is another one than before, as after a move or with a new data folder.",
  ahead: "The log ends before the place where this browser was, as after going back to a backup.",
  "invalid-id": "The place where this browser was could not be read.",
};
