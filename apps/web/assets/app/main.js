/**
 * Where the page begins: configuration, then the frame with the page that the address names, then the stream. Nothing
 * waits for what it does not need.
 */
import { config, loadConfig, tuneClock } from "./config.js";
import { html, render } from "./html.js";
import { restoreSeller } from "./seller.js";
import { askFirst } from "./pages/products/first.js";
import { loadPage } from "./pages.js";
import { ready } from "./ready.js";
import { wait } from "./retry.js";
import { HOME, route } from "./route.js";
import { Shell } from "./shell/shell.js";
import { startNews } from "./shell/news.js";
import { connectStream } from "./stream/client.js";
import "./theme.js";
import { showMessages } from "./ui/messages.js";

/** A list that takes longer than this is not waited for with everything else. */
const SOON_MILLIS = 150;
/** The first list has the network and the processor for itself; but not for longer than this. */
const PATIENCE_MILLIS = 1_000;

async function start() {
  // A page that cannot be had is the frame's to tell.
  await Promise.all([loadConfig(), loadPage(route.value.page).catch(() => undefined)]);
  restoreSeller();
  // Drawn with its rows at once, the page is drawn once.
  await Promise.race([askFirst(), wait(SOON_MILLIS)]);
  render(html`<${Shell} />`, document.getElementById("app"));
  showMessages();
  startNews();
  if (route.value.page === HOME) await Promise.race([ready, wait(PATIENCE_MILLIS)]);
  connectStream();
  await wait(PATIENCE_MILLIS);
  tuneClock();
  globalThis.souk = { version: config.version };
}
start();
