/** The frame: navigation, top bar, banners, messages, and the page in the middle. */
import { config } from "../config.js";
import { html, signal, useEffect, useRef, useState } from "../html.js";
import { loadedPage, loadPage, PAGES, pageNamed } from "../pages.js";
import { go, HOME, linkTo, route } from "../route.js";
import { lag, unread } from "../stream/client.js";
import { duration } from "../format.js";
import { Empty, Failure, Skeleton } from "../ui/empty.js";
import { Button } from "../ui/button.js";
import { Icon, Mark } from "../ui/icons.js";
import { Banner } from "./banner.js";
import { listenToKeys } from "./keys.js";
import { Later } from "./later.js";
import { TopBar } from "./topbar.js";

/** Which dialog of the frame is open: "keys" or none. */
export const overlay = signal("");

export function Shell() {
  useEffect(() => listenToKeys(overlay), []);
  return html`<a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    }}>Skip to the content</a>
    <div class="shell">
      <nav class="rail" aria-label="Pages"><div class="awning"></div>
        <a class="brand" href=${linkTo(HOME)}><${Mark} />souk</a>
        <${Nav} />
        <div class="foot"><${Latency} /><span>souk ${config.version}, ${config.backend}</span></div>
      </nav>
      <div class="stage">
        <${TopBar} overlay=${overlay} />
        <${Banner} />
        <main id="main" tabindex="-1"><${Page} /></main>
      </div>
    </div>
    ${overlay.value === "keys" && html`<${Later} load=${() => import("./help.js")} onClose=${() => (overlay.value = "")} />`}`;
}

function Nav() {
  return html`<div class="nav">${PAGES.map(({ name, title, icon }) => {
    const n = name === "notifications" ? unread.value : 0;
    return html`<a key=${name} href=${linkTo(name)} aria-current=${route.value.page === name ? "page" : undefined}>
      <${Icon} name=${icon} /><span class="label">${title}</span>
      ${n > 0 && html`<span class="badge" aria-hidden="true">${n > 99 ? "99+" : n}</span>`}</a>`;
  })}</div>`;
}

function Latency() {
  const { p50, count } = lag.value;
  if (count === 0) return null;
  return html`<span title="From the write to this screen, half of the last 30 seconds' events">Write to screen ${duration(p50)}</span>`;
}

function Page() {
  const { page } = route.value;
  const known = pageNamed(page);
  const [, again] = useState(0);
  const [failed, setFailed] = useState(null);
  const before = useRef(page);
  useEffect(() => {
    document.title = known ? `${known.title} · souk` : "souk";
    // Who goes to a page with the keyboard goes on from its begin.
    if (before.current !== page) {
      before.current = page;
      scrollTo(0, 0);
      document.getElementById("main").focus({ preventScroll: true });
    }
    if (!known || loadedPage(page)) return;
    setFailed(null);
    loadPage(page).then(
      () => again((n) => n + 1),
      () => setFailed({ title: "This page could not be loaded", detail: "souk may have been updated or stopped. Reload the page." }),
    );
  }, [page]);
  if (!known) {
    return html`<${Empty} title="There is no such page" actions=${html`<${Button} kind="primary" onClick=${() => go(HOME)}>Go to the products<//>`}>
      Nothing is at “${page}”.<//>`;
  }
  if (failed) return html`<${Failure} problem=${failed} retry=${() => location.reload()} />`;
  const Component = loadedPage(page);
  return Component ? html`<${Component} key=${page} />` : html`<${Skeleton} />`;
}
