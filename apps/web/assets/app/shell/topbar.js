/** The top bar: whose shop, how live, what is new, how it looks. */
import { html, useEffect } from "../html.js";
import { go, HOME, linkTo } from "../route.js";
import { pageNamed } from "../pages.js";
import { ready } from "../ready.js";
import { retrying } from "../retry.js";
import { isCrowd, loadSellers, seller, sellers, setSeller } from "../seller.js";
import { status, unread } from "../stream/client.js";
import { nextTheme, theme } from "../theme.js";
import { Button } from "../ui/button.js";
import { Mark } from "../ui/icons.js";
import { Later } from "./later.js";

export function TopBar({ overlay }) {
  return html`<header class="topbar">
    <a class="brand" href=${linkTo(HOME)} aria-label="souk, products"><${Mark} size=${28} /><span class="name" aria-hidden="true">souk</span></a>
    <${SellerSwitch} />
    <span class="grow"></span>
    <${Status} />
    ${pageNamed("notifications") && html`<${Bell} />`}
    <${Button} class="theme" kind="quiet" icon=${theme.value} label=${`Theme: ${theme.value}`} onClick=${nextTheme} />
    <${Button} class="keys-help" kind="quiet" icon="keyboard" label="Keyboard help" onClick=${() => (overlay.value = "keys")} />
  </header>`;
}

function SellerSwitch() {
  useEffect(() => {
    // The page is of use without it, and the stream names sellers too; so there is no hurry, and no end.
    ready.then(() => retrying(loadSellers, { attempts: Infinity }));
  }, []);
  const chosen = seller.value;
  const names = chosen && !sellers.value.includes(chosen) ? [chosen, ...sellers.value] : sellers.value;
  if (isCrowd.value) return html`<${Later} load=${() => import("./seller-field.js")} chosen=${chosen} names=${names} />`;
  return html`<div class="seller"><label for="seller">Seller</label>
    <select class="input" id="seller" aria-label="Seller" value=${chosen} onChange=${(event) => setSeller(event.currentTarget.value)}>
      <option value="">All sellers</option>${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
    </select></div>`;
}

const STATUS = {
  live: ["good", "Live", "Changes appear as they happen"],
  gap: ["warn", "Gap", "Connected; some events were missed"],
  reconnecting: ["warn", "Reconnecting", "Trying to reach the stream; nothing will be missed"],
  offline: ["bad", "Offline", "This computer has no network"],
};

function Status() {
  const [tone, word, meaning] = STATUS[status.value];
  return html`<span class=${`pill tone-${tone}`} title=${meaning}><span class="dot"></span>${word}</span>`;
}

function Bell() {
  const n = unread.value;
  return html`<${Button} class="bell" kind="quiet" icon="bell" label=${n > 0 ? `Notifications, ${n > 99 ? "more than 99" : n} unread` : "Notifications"}
    onClick=${() => go("notifications")}>${n > 0 && html`<span class="badge" aria-hidden="true">${n > 99 ? "99+" : n}</span>`}<//>`;
}
