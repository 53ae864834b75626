/** How souk itself is doing: its services, the way of an event through them, and what to do where something is red. */
import { compact, count, dateTime, duration, plural } from "../format.js";
import { html, useEffect, useMemo, useRef } from "../html.js";
import { serverNow } from "../config.js";
import { pageIsReady } from "../ready.js";
import { linkTo } from "../route.js";
import { seller } from "../seller.js";
import { lag, status } from "../stream/client.js";
import { Skeleton } from "../ui/empty.js";
import { Icon } from "../ui/icons.js";
import { announce } from "../ui/live.js";
import { loadStyle } from "../ui/style.js";
import { ServiceCard } from "./operations/card.js";
import { OperationsModel } from "./operations/model.js";
import { bytes, checkName, perSecond, seconds, TONES } from "./operations/words.js";

await loadStyle("style/operations.css");

export default function Operations() {
  const model = useMemo(() => new OperationsModel(), []);
  useEffect(() => model.start(), []);
  const services = model.services.value;
  useEffect(() => {
    if (services) pageIsReady();
  }, [services]);
  const head = html`<div class="page-head"><div><h1>Operations</h1><p>All of souk, for all sellers${model.seenAt.value > 0 ? html`; looked at <span class="nowrap">${dateTime(model.seenAt.value)}</span>` : ""}</p><${Whose} /></div></div>`;
  if (!services) return html`${head}<div class="card pad"><${Skeleton} lines=${10} /></div>`;
  const consumers = model.consumers.value;
  return html`${head}
    <${Verdict} services=${services} consumers=${consumers} archive=${model.archive.value} />
    <${Flow} services=${services} rates=${model.rates.value} consumers=${consumers} />
    <${Consumers} services=${services} consumers=${consumers} rates=${model.rates.value} />
    <${Archive} archive=${model.archive.value} />
    <div class="services">${services.map((one) => html`<${ServiceCard} key=${one.service.name} ...${one} />`)}</div>`;
}

/** Why the seller that is chosen changes nothing here. */
function Whose() {
  const whose = seller.value;
  return whose && html`<p class="small">${whose} is chosen, which changes nothing here but “Write to screen”: services, log and consumers carry the events of every seller. <a href=${linkTo("analytics")}>What happens at ${whose}</a> is in Analytics.</p>`;
}

/** Whether all is well; if not, each thing that is not, with what to do. */
function Verdict({ services, consumers, archive }) {
  const faults = services.flatMap(({ service, health }) => health.checks.filter((check) => check.status !== "ok").map((check) => ({ key: `${service.name} ${check.name}`, tone: TONES[check.status], title: health.status === "unreachable" ? `${service.name} cannot be reached` : `${service.name}: ${checkName(check.name)}`, detail: check.detail })));
  const letters = deadLetters(services);
  if (letters > 0) faults.push({ key: "letters", tone: "warn", title: plural(letters, "dead letter"), detail: "Records that could not be read were set aside, and everything after them goes on. souk doctor names them; souk audit says what they cost." });
  for (const { name, problem } of consumers ?? []) if (problem && !faults.some(({ detail }) => detail === problem)) faults.push({ key: name, tone: "warn", title: `analytics: ${name}`, detail: problem });
  if (archive?.problem) faults.push({ key: "archive", tone: "warn", title: archive.problem.title, detail: archive.problem.detail });
  // Their figures change with every look: only what comes and goes is worth hearing.
  const titles = faults.map(({ title }) => title).join(". ");
  const told = useRef("");
  useEffect(() => {
    if (titles !== told.current) announce(titles || "Everything is well");
    told.current = titles;
  }, [titles]);
  if (faults.length === 0) {
    return html`<div class="notice tone-good"><${Icon} name="check" /><div class="grow"><div class="title">Everything is well</div><div>${plural(services.length, "service")} of souk, and everything that ${services.length === 1 ? "it stands" : "they stand"} on.</div></div></div>`;
  }
  return html`<section class="stack faults" aria-label="Needs attention">${faults.map(
    ({ key, tone, title, detail }) => html`<div class=${`notice tone-${tone}`} key=${key}><${Icon} name="warn" /><div class="grow"><div class="title">${title}</div><div>${detail}</div></div></div>`,
  )}</section>`;
}

const check = (services, name) => services.flatMap(({ health }) => health.checks).find((one) => one.name === name);
const deadLetters = (services) => services.flatMap(({ health }) => health.checks).reduce((sum, { figures }) => sum + (figures.deadLetters ?? 0), 0);

const STREAM = { live: "live", gap: "live, with a gap", reconnecting: "reconnecting", offline: "offline" };

/** The way of an event, in figures. */
function Flow({ services, rates, consumers }) {
  const relay = check(services, "relay");
  const stream = check(services, "stream");
  const embedded = services.some(({ health }) => health.backend === "embedded" && check(services, "catalog"));
  const end = logEnd(consumers);
  const { p50, p99, count: seen } = lag.value;
  const figure = (name, value, small) => html`<div class="figure"><dt>${name}</dt><dd>${value}${small && html` <small>${small}</small>`}</dd></div>`;
  return html`<dl class="figures">
    ${figure("Requests", perSecond(rates.requests))}
    ${relay
      ? figure("Outbox", count(relay.figures.waitingEvents), relay.figures.waitingEvents > 0 ? `waiting, oldest ${seconds(relay.figures.oldestSeconds)}` : "waiting")
      : embedded ? figure("Outbox", "none", "needed, embedded") : figure("Outbox", "–")}
    ${figure("Log", end === null ? "–" : compact(end), "events long")}
    ${figure("Events", perSecond(rates.events))}
    ${figure("Readers", stream ? count(stream.figures.readers ?? 0) : "–", rates.frames === undefined ? "" : `${perSecond(rates.frames)} frames`)}
    ${figure("Dead letters", count(deadLetters(services)))}
    ${figure("Write to screen", seen > 0 ? duration(p50) : "–", seen > 0 ? `99 of 100 within ${duration(p99)}` : STREAM[status.value])}
  </dl>`;
}

/** Where the log ends, over all partitions; null where that is not known. */
function logEnd(consumers) {
  if (!consumers) return null;
  const ends = new Map(consumers.flatMap(({ partitions }) => partitions.map(({ partition, end }) => [partition, end])));
  return [...ends.values()].reduce((sum, end) => sum + end, 0);
}

const DOES = { recent: "recent events", aggregates: "figures by minute, hour and day", archive: "Parquet files, closed by size or age" };

/** How far each consumer of the log is. */
function Consumers({ services, consumers, rates }) {
  if (!consumers) return html`<div class="card pad soft">Analytics does not say how far its consumers are.</div>`;
  return html`<section class="card consumers"><h2>Consumers</h2><div class="scroll" tabindex="0" role="region" aria-label="Consumers, table"><table aria-label="Consumers">
    <thead><tr><th scope="col">Consumer</th><th scope="col" class="num">Behind, events</th><th scope="col" class="num">Behind, time</th><th scope="col" class="num">Done up to</th><th scope="col" class="num">Rate</th><th scope="col" class="num">Dead letters</th></tr></thead>
    <tbody>${consumers.map(({ name, partitions, lagEvents, lagSeconds, problem }) => {
      const done = partitions.reduce((sum, { position }) => sum + position, 0);
      const state = check(services, name)?.status ?? (problem ? "degraded" : "ok");
      return html`<tr key=${name}><th scope="row"><span class=${`state tone-${TONES[state]}`}><span class="dot"></span>${name}</span><span class="small soft">${DOES[name]}</span></th>
        <td class="num">${compact(lagEvents)}</td><td class="num">${lagEvents === 0 ? "0 s" : seconds(lagSeconds)}</td><td class="num">${compact(done)}</td>
        <td class="num">${perSecond(rates[name])}</td><td class="num">${count(check(services, name)?.figures.deadLetters ?? 0)}</td></tr>`;
    })}</tbody></table></div></section>`;
}

/** The last object of the archive, and how old it is. */
function Archive({ archive }) {
  if (archive === undefined) return html`<div class="card pad"><${Skeleton} lines=${2} /></div>`;
  const { object } = archive;
  return html`<section class="card pad archive"><h2>Archive</h2>${object
    ? html`<p>The last object is <b>${seconds(Math.max(0, (serverNow() - Date.parse(object.createdAt)) / 1000))}</b> old: ${plural(object.rows, "event")} in ${bytes(object.bytes)}, offsets ${count(object.firstOffset)} to ${count(object.nextOffset - 1)} of partition ${object.partition}.</p><p class="small soft clip" title=${object.key}><code>${object.key}</code></p>`
    : html`<p class="soft">${archive.problem ? archive.problem.detail : "Nothing is archived yet. The first object is closed some minutes after the first event (ARCHIVE_MAX_AGE)."}</p>`}</section>`;
}
