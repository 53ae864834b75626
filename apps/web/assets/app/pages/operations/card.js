/** A service with its checks: the red ones first. */
import { html } from "../../html.js";
import { Icon } from "../../ui/icons.js";
import { checkName, figure, ICONS, seconds, SERVICES, STATUSES, TONES } from "./words.js";

const ORDER = { unavailable: 0, degraded: 1, ok: 2 };

/** @param {{service: import("./services.js").Service, health: import("./services.js").Health}} props */
export function ServiceCard({ service, health }) {
  const { name, url } = service;
  const checks = [...health.checks].sort((a, b) => ORDER[a.status] - ORDER[b.status]);
  return html`<section class="card service" aria-label=${`Service ${name}`}>
    <header><div class="grow"><h2>${name}</h2><p class="small soft">${SERVICES[name]}</p></div>
      <span class=${`tag tone-${TONES[health.status]}`}><${Icon} name=${ICONS[health.status]} size=${14} />${STATUSES[health.status]}</span></header>
    <p class="small soft"><a href=${`${url}/health`}>${url}</a>${health.uptimeSeconds !== undefined && `, up for ${seconds(health.uptimeSeconds)}, ${health.version}, ${health.backend}`}</p>
    <ul>${checks.map((check) => html`<${Line} key=${check.name} check=${check} />`)}</ul>
  </section>`;
}

/** @param {{check: import("./services.js").Check}} props */
function Line({ check }) {
  const { name, status, detail, figures } = check;
  return html`<li class=${`check-line tone-${TONES[status]}`}><${Icon} name=${ICONS[status]} size=${16} /><div class="grow">
    <h3>${checkName(name)}${status !== "ok" && html` <span class="small">${STATUSES[status].toLowerCase()}</span>`}</h3><p class="small">${detail}</p>
    ${Object.keys(figures).length > 0 && html`<dl class="chips small">${Object.entries(figures).map(([key, value]) => {
      const { name, value: words } = figure(key, value);
      return html`<div key=${key}><dt>${name}</dt><dd>${words}</dd></div>`;
    })}</dl>`}</div></li>`;
}
