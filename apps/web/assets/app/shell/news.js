/**
 * From the stream to toasts: what just happened in the shop, folded so that a burst is one toast, and what happened
 * while nobody looked is one sentence. What this page did itself it does not report.
 */
import { serverNow } from "../config.js";
import { isOwn } from "../own.js";
import { pageNamed } from "../pages.js";
import { go } from "../route.js";
import { sawSeller } from "../seller.js";
import { LATE_MILLIS, onEvents } from "../stream/client.js";
import { noticeOf } from "../stream/notices.js";
import { dismissToast, showToast } from "../ui/toast.js";
import { foldNews, headline, isNews, mergeNews } from "./fold.js";

/** How long a burst is gathered before its toast appears. */
const GATHER_MILLIS = 350;
/** A toast that grows is renewed for this long; then the next burst begins a new one. */
const LASTS_MILLIS = 7_000;

let gathered = [];
let timer = null;
/** What the toasts that are shown stand for, by key. @type {Map<string, import("./fold.js").News>} */
const shown = new Map();
/** Whether the page says it all itself. */
let hushed = false;

export function startNews() {
  onEvents((batch) => {
    for (const event of batch) {
      if (event.type === "ProductCreated") sawSeller(event.sellerid);
      if (isNews(event)) gathered.push(event);
    }
    // A flood is counted, not kept.
    if (gathered.length > 2_000) tell();
    else if (gathered.length > 0) timer ??= setTimeout(tell, GATHER_MILLIS);
  });
}

function tell() {
  clearTimeout(timer);
  timer = null;
  const now = serverNow();
  const news = hushed ? [] : gathered.filter((event) => !isOwn(event)).map((event) => ({ ...noticeOf(event), late: now - Date.parse(event.time) > LATE_MILLIS }));
  gathered = [];
  for (const [key, fresh] of foldNews(news)) {
    const all = shown.has(key) ? mergeNews(shown.get(key), fresh) : fresh;
    shown.set(key, all);
    showToast({
      key: `news-${key}`,
      ...headline(key, all),
      lasts: LASTS_MILLIS,
      passing: true,
      action: pageNamed("notifications") && { label: "Show", run: () => go("notifications", key === "low" ? { show: "alert" } : {}) },
      onGone: () => shown.delete(key),
    });
  }
}

/** For the notifications page, which says it all itself: no toasts beside it. Returns what ends it. */
export function hushNews() {
  hushed = true;
  for (const key of shown.keys()) dismissToast(`news-${key}`);
  return () => {
    hushed = false;
  };
}
