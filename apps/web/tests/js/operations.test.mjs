// Reading metrics, and what grows by how much.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { lastArchived } from "../../assets/app/pages/operations/archive.js";
import { countersOf, Rates, sumOf } from "../../assets/app/pages/operations/metrics.js";
import { bytes, figure, perSecond, seconds } from "../../assets/app/pages/operations/words.js";

const METRICS = `# HELP souk_http_requests_total Requests answered
# TYPE souk_http_requests_total counter
souk_http_requests_total{method="POST",route="/products",status="201"} 40
souk_http_requests_total{method="GET",route="/products/{id}",status="200"} 2
souk_http_requests_total{method="GET",route="/health",status="200"} 900
souk_http_requests_total{method="GET",route="a\\"b",status="404"} 1
souk_stream_frames_total 120
souk_stream_frames_total_other 5
souk_stream_events_total 60
`;

test("counters are summed over their labels", () => {
  assert.equal(sumOf(METRICS, "souk_http_requests_total"), 943);
  assert.equal(sumOf(METRICS, "souk_stream_frames_total"), 120);
  assert.equal(sumOf(METRICS, "souk_nothing"), null);
  assert.deepEqual(countersOf(METRICS), { requests: 43, frames: 120, events: 60 }, "who looks after a service is not counted");
  assert.deepEqual(countersOf(""), {});
});

test("a rate needs two looks, and a restart is no rate", () => {
  const rates = new Rates();
  assert.equal(rates.take("requests", 100, 1_000), null);
  assert.equal(rates.take("requests", 150, 3_000), 25);
  assert.equal(rates.take("requests", 10, 4_000), null);
  assert.equal(rates.take("requests", 20, 5_000), 10);
  rates.forget();
  assert.equal(rates.take("requests", 900, 6_000), null);
});

test("figures are said with their units", () => {
  assert.deepEqual(figure("ringBytes", 2_097_152), { name: "ring", value: "2.0 MiB" });
  assert.deepEqual(figure("oldestSeconds", 90), { name: "oldest", value: "90 s" });
  assert.equal(figure("lagEvents", 3).name, "lag events");
  assert.deepEqual([bytes(512), seconds(3), seconds(7_300), perSecond(undefined), perSecond(1.26)], ["512 B", "3 s", "2 hours", "–", "1.3/s"]);
});

test("figures are said in the reader's manner", () => {
  const words = new URL("../../assets/app/pages/operations/words.js", import.meta.url);
  const script = `import { bytes, perSecond, seconds } from "${words}"; console.log([bytes(1_572_864), seconds(3.44), perSecond(1.26)].join("; "))`;
  const env = { ...process.env, LC_ALL: "de_DE.UTF-8" };
  assert.equal(execFileSync(process.execPath, ["--input-type=module", "-e", script], { env, encoding: "utf8" }).trim(), "1,5 MiB; 3,4 s; 1,3/s");
});

const HOUR = 3_600_000;
const NOW = Date.parse("2026-11-29T20:30:00Z");

/** Lists objects as analytics does: by hour, the oldest first. */
function archive(objects, asked = []) {
  const sorted = objects.toSorted((a, b) => a.hour - b.hour);
  return async ({ from, limit, cursor }) => {
    asked.push(limit);
    const held = sorted.filter(({ hour }) => !from || hour >= Math.floor(Date.parse(from) / HOUR));
    const end = Number(cursor ?? 0) + limit;
    return { items: held.slice(end - limit, end), nextCursor: end < held.length ? String(end) : null };
  };
}
const object = (hoursAgo, key, minutes = 0) => {
  const hour = Math.floor(NOW / HOUR) - hoursAgo;
  return { hour, key, createdAt: new Date(hour * HOUR + minutes * 60_000).toISOString() };
};

test("the newest object is found behind thousands, however long ago it was written", async () => {
  for (const ago of [0, 1, 2, 7, 400, 30_000]) {
    const older = Array.from({ length: 5_000 }, (_, i) => object(ago + 3 + Math.floor(i / 2), `older ${i}`));
    const asked = [];
    const found = await lastArchived(archive([...older, object(ago, "newest", 5)], asked), NOW);
    assert.equal(found.key, "newest", `${ago} hours ago`);
    assert.ok(asked.length < 40, `${asked.length} were asked`);
  }
});

test("one that a lagging partition wrote after others had gone on is the last", async () => {
  const found = await lastArchived(archive([object(3, "late", 90), object(2, "earlier", 10)]), NOW);
  assert.equal(found.key, "late");
});

test("an empty archive is asked once", async () => {
  const asked = [];
  assert.equal(await lastArchived(archive([], asked), NOW), null);
  assert.equal(asked.length, 1);
});
