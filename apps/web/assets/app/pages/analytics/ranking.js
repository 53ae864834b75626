/** A ranking as a table with bars; asked for anew when something was sold, at a calm pace. */
import { compactMoney, count, money } from "../../format.js";
import { html, useEffect, useRef, useState } from "../../html.js";
import { linkTo } from "../../route.js";
import { Failure, Skeleton } from "../../ui/empty.js";
import { rank } from "./rankings.js";

/** A ranking reads many figures. */
const PACE_MILLIS = 8_000;

/**
 * Returns the ranking, or what went wrong and how to ask again; null while nothing is known.
 * @param {"seller" | "category" | "product"} by
 * @param {{from: number, to: number, preset: string} | null} range @param {boolean} whole @param {string} whose @param {import("./figures.js").FiguresModel} model
 */
export function useRanking(by, range, whole, whose, model) {
  const [ranking, setRanking] = useState(null);
  const wanted = !(whose && by !== "product");
  const moved = model.moved.value;
  // The ends of a range move with the data, which makes it no other range.
  const place = range && `${whose} ${whole ? "whole" : range.preset === "custom" ? `${range.from} ${range.to}` : range.preset}`;
  const latest = useRef(null);
  latest.current = range && { ...range, whole };
  const again = useRef(() => {});
  useEffect(() => {
    if (!place || !wanted) return undefined;
    const stop = new AbortController();
    let timer = null;
    let next = 0;
    const read = async () => {
      const began = Date.now();
      const found = await rank(by, latest.current, whose, stop.signal).catch((problem) => ({ problem, retry }));
      if (stop.signal.aborted) return;
      // What is shown stays where it could not be read anew.
      setRanking((before) => (found.problem && before?.rows ? before : found));
      next = began + PACE_MILLIS;
      timer = null;
      // As many as there are now will be there the next time.
      if (found.tooMany) again.current = () => {};
    };
    again.current = () => {
      timer ??= setTimeout(read, Math.max(0, next - Date.now()));
    };
    const retry = () => {
      next = 0;
      setRanking(null);
      again.current();
    };
    retry();
    return () => {
      again.current = () => {};
      clearTimeout(timer);
      stop.abort();
    };
  }, [place, wanted]);
  useEffect(() => {
    if (moved > 0) again.current();
  }, [moved]);
  return wanted ? ranking : null;
}

/** @param {{title: string, ranking: any, link?: boolean}} props `ranking` is what `useRanking` returns */
export function Ranking({ title, ranking, link }) {
  if (ranking?.problem) return html`<section class="card ranking"><h2>${title}</h2><${Failure} ...${ranking} /></section>`;
  const most = Number(ranking?.rows[0]?.revenue ?? 0);
  return html`<section class="card ranking"><h2>${title}</h2>
    <p class="small soft">By revenue${ranking?.allTime ? ", of all time" : ", in this range"}</p>
    ${ranking === null && html`<${Skeleton} lines=${5} />`}
    ${ranking?.rows.length === 0 && html`<p class="soft">${ranking.tooMany ? "There are too many to rank here. A shorter range may have few enough of them." : "Nothing was sold yet."}</p>`}
    ${ranking?.rows.length > 0 && html`<table aria-label=${title}><thead><tr><th scope="col">Name</th><th scope="col" class="num">Units</th><th scope="col" class="num">Revenue</th></tr></thead>
      <tbody>${ranking.rows.map(({ key, name, revenue, sold, of }) => html`<tr key=${key}>
        <th scope="row"><span class="bar" style=${{ inlineSize: `${most > 0 ? Math.max(0, (Number(revenue) / most) * 100) : 0}%` }}></span><span class="name">${link ? html`<a href=${linkTo("products", { edit: key })}>${name}</a>` : name}${of && html` <span class="small soft">${of}</span>`}</span></th>
        <td class="num">${count(sold)}</td><td class="num" title=${money(revenue)}>${compactMoney(revenue)}</td></tr>`)}</tbody></table>`}
  </section>`;
}
