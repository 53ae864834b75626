/**
 * The history: what happened, also while this browser was closed, as far as the log held it; what is new since the
 * last visit; and where something is missing, how to get it.
 */
import { analytics } from "../api.js";
import { clock } from "../config.js";
import { dateTime, dayOf, plural, since, timeOf } from "../format.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { currentTime } from "../now.js";
import { pageIsReady } from "../ready.js";
import { linkTo, route, setParams } from "../route.js";
import { seller } from "../seller.js";
import { GAPS } from "../shell/banner.js";
import { hushNews } from "../shell/news.js";
import { backfill, clearHistory, gap, historySeq, markRead, readHistory, replayAll } from "../stream/client.js";
import { isCheck } from "../stream/checks.js";
import { noticeOf } from "../stream/notices.js";
import { Button } from "../ui/button.js";
import { Empty, Skeleton } from "../ui/empty.js";
import { Icon } from "../ui/icons.js";
import { loadStyle } from "../ui/style.js";
import { Tabs } from "../ui/tabs.js";
import { showProblem, showToast } from "../ui/toast.js";
import { readEarlier, readMissed } from "./notifications/older.js";
import { byDay, firstLines } from "./notifications/runs.js";
import { KINDS, wordsOf } from "./notifications/words.js";

await loadStyle("style/notifications.css");

const TABS = [["", "All"], ["alert", "Alerts"], ["catalog", "Catalogue"], ["stock", "Stock"]];
const STEP = 120;
/** While events pour in the list is read this often; it is a list to read, not to watch. */
const PAUSE_MILLIS = 400;

export default function Notifications() {
  const [items, setItems] = useState(/** @type {import("../types.js").Notice[] | null} */ (null));
  const [most, setMost] = useState(STEP);
  /** Up to where it was read when the page was opened: what is beyond is marked as new. */
  const before = useRef(/** @type {Record<string, number> | null} */ (null));
  const [busy, setBusy] = useState(false);
  const whose = seller.value;
  const { show = "" } = route.value.params;
  const changed = historySeq.value;
  const pending = useRef(null);
  const first = useRef(true);
  /** Where the next press of a button goes on. @type {{current: Map<string, object | null>}} */
  const places = useRef(new Map());

  const read = async () => {
    clearTimeout(pending.current);
    pending.current = null;
    const { items: all, reads } = await readHistory();
    before.current ??= reads;
    setItems(all);
    if (all.length > 0 && !document.hidden) markRead(all[0].seq);
    pageIsReady();
  };
  useEffect(() => {
    if (first.current) read();
    else pending.current ??= setTimeout(read, PAUSE_MILLIS);
    first.current = false;
  }, [whose, changed]);
  // What came while nobody looked is read by whoever comes back.
  useEffect(() => {
    const seen = () => !document.hidden && read();
    document.addEventListener("visibilitychange", seen);
    return () => document.removeEventListener("visibilitychange", seen);
  }, []);
  useEffect(hushNews, []);
  useEffect(() => () => clearTimeout(pending.current), []);

  /** Runs `read` with what takes in events, and tells how many of them were new here. */
  const load = async (read, tell) => {
    if (busy) return;
    setBusy(true);
    const known = new Set(items?.map(({ id }) => id));
    const fresh = [];
    try {
      const outcome = await read((events) => {
        backfill(events);
        fresh.push(...events.filter((event) => !known.has(event.id) && !isCheck(event.sellerid)));
        return fresh.some((event) => !show || noticeOf(event).group === show);
      });
      showToast(tell(outcome, fresh.length));
    } catch (problem) {
      showProblem(problem);
    }
    setBusy(false);
  };
  const ask = (query) => analytics("/events", query);

  const loadEarlier = () => {
    const place = `${whose} ${show}`;
    load(
      (take) => readEarlier(ask, { whose, oldest: shown.at(-1)?.at, place: places.current.get(place) }, take),
      (rest, n) => {
        places.current.set(place, rest);
        if (n > 0) return { tone: "good", title: `${plural(n, "event")} loaded` };
        return rest ? { title: "Nothing new so far", detail: "There are earlier ones: press again to look further." } : { title: "There is nothing older", detail: "Analytics keeps recent events for some days." };
      },
    );
  };

  /** @param {import("../types.js").Notice} notice of a gap */
  const catchUp = (notice) => load(
    (take) => readMissed(ask, { whose, gap: notice, offset: clock.offset, place: places.current.get(notice.id) }, take),
    ({ rest, whole }, n) => {
      places.current.set(notice.id, rest);
      const title = `${plural(n, "event")} loaded`;
      if (rest) return { tone: "warn", title, detail: "There are more: press again to go on." };
      gap.value = null;
      return whole ? { tone: "good", title, detail: "Nothing is missing any more." } : { tone: "warn", title, detail: "Whether that is all cannot be told: analytics keeps recent events for some days (RECENT_EVENTS_RETENTION), and none that was seen before the gap is among them." };
    },
  );

  const shown = (items ?? []).filter((notice) => !show || notice.group === show);
  const isNew = (notice) => notice.group !== "stock" && before.current && notice.seq > Math.max(before.current["*"] ?? 0, before.current[notice.seller] ?? 0);
  const { days, more } = firstLines(byDay(shown, dayOf), most);
  const older = html`<${Button} icon="refresh" busy=${busy} onClick=${loadEarlier}>Load earlier events<//>`;
  return html`
    <div class="page-head"><div><h1>Notifications</h1><p>Kept in this browser, for all of its tabs.</p></div>
      ${items?.length > 0 && html`<${Button} kind="quiet" icon="trash" onClick=${() => {
        clearHistory();
        places.current.clear();
        setItems([]);
      }}>Clear<//>`}</div>
    <${Tabs} label="Show" choices=${TABS} value=${show} onChoose=${(value) => setParams({ show: value })} />
    ${items === null && html`<${Skeleton} />`}
    ${items !== null && shown.length === 0 && html`<div class="card"><${Empty} icon="bell" title="Nothing here yet" actions=${older}>
      What happens in the shop${whose ? ` of ${whose}` : ""} from now on appears here, also after a reload. Earlier events can be fetched.<//></div>`}
    ${days.map(({ day, lines }) => html`<section class="day" key=${day}><h2>${day}</h2><ul class="card notices">${lines.map((line) =>
      "run" in line ? html`<${Run} key=${`run-${line.key}`} run=${line.run} isNew=${isNew} />` : html`<li key=${line.notice.id}><${Line} notice=${line.notice} isNew=${isNew(line.notice)} busy=${busy} onCatchUp=${catchUp} /></li>`,
    )}</ul></section>`)}
    ${shown.length > 0 && html`<div class="row more">
      ${more && html`<${Button} onClick=${() => setMost(most + STEP)}>Show more<//>`}
      ${older}</div>`}`;
}

/** @param {{notice: import("../types.js").Notice, isNew?: boolean, busy?: boolean, onCatchUp?: (gap: import("../types.js").Notice) => void}} props */
function Line({ notice, isNew, busy, onCatchUp }) {
  const { icon, tone } = KINDS[notice.kind];
  const { title, detail } = wordsOf(notice);
  const now = currentTime();
  return html`<div class=${`notice-line tone-${tone}`}>
    <span class="mark"><${Icon} name=${icon} size=${18} /></span>
    <div class="grow"><div><span class="what">${title}</span>${notice.name && html` <${Name} notice=${notice} />`}${isNew && html` <span class="tag fresh">New</span>`}</div>
      <div class="soft small">${notice.kind === "gap" ? GAPS[notice.data.reason] ?? notice.data.reason : detail}</div>
      ${notice.kind === "gap" && onCatchUp && html`<div class="row catch-up"><${Button} size="small" busy=${busy} onClick=${() => onCatchUp(notice)}>Load what analytics has<//>
        <${Button} size="small" kind="quiet" onClick=${replay}>Replay the whole log<//></div>`}
    </div>
    <time class="soft small nowrap" dateTime=${notice.at} title=${dateTime(notice.at)}>${now - Date.parse(notice.at) < 3_600_000 ? since(notice.at, now) : timeOf(notice.at)}</time>
  </div>`;
}

function replay() {
  gap.value = null;
  replayAll();
  showToast({ title: "Reading the log from its begin", detail: "Everything that it still holds passes by once more; what is here already is not doubled." });
}

function Name({ notice }) {
  if (notice.kind === "deleted") return html`<span>${notice.name}</span>`;
  return html`<a href=${linkTo("products", { edit: notice.productId })}>${notice.name}</a>`;
}

/** A burst: one line, which opens. @param {{run: import("../types.js").Notice[], isNew: (notice: any) => boolean}} props */
function Run({ run, isNew }) {
  const [open, setOpen] = useState(false);
  const { icon, tone, many } = KINDS[run[0].kind];
  const fresh = run.filter(isNew).length;
  return html`<li><details class="run" onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary class=${`notice-line tone-${tone}`}><span class="mark"><${Icon} name=${icon} size=${18} /></span>
      <span class="grow"><span class="what">${many(run.length)}</span>${fresh > 0 && html` <span class="tag fresh">${fresh === run.length ? "New" : `${fresh} new`}</span>`}
        <span class="soft small names clip">${[...new Set(run.map((notice) => notice.name))].slice(0, 3).join(", ")}</span></span>
      <time class="soft small nowrap" dateTime=${run[0].at} title=${dateTime(run[0].at)}>${timeOf(run[0].at)}</time></summary>
    ${open && html`<ul>${run.map((notice) => html`<li key=${notice.id}><${Line} notice=${notice} isNew=${isNew(notice)} /></li>`)}</ul>`}
  </details></li>`;
}
