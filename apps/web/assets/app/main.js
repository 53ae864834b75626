/**
 * Where the page begins: configuration, then the frame with the page that the address names, then the stream. Nothing
 * waits for what it does not need.
 */
import { config, loadConfig, tuneClock } from "./config.js";
import { html, render } from "./html.js";
import { restoreSeller } from "./seller.js";
import { Shell } from "./shell/shell.js";
import { startNews } from "./shell/news.js";
import { connectStream } from "./stream/client.js";
import "./theme.js";

await loadConfig();
restoreSeller();
render(html`<${Shell} />`, document.getElementById("app"));
startNews();
connectStream();
// Not while the first list is being fetched.
setTimeout(tuneClock, 1500);
globalThis.souk = { version: config.version };
