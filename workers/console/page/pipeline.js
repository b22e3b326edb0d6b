// The pipeline in figures: the gauges on top, and all that stands behind them.

import { at, curve, h, keyed, say } from "./dom.js";
import { waitingTime } from "./panels.js";
import { NONE, count, duration, lasting, moment, plain, plural, share } from "./words.js";

const GAUGES = ["Posts a second", "Behind", "In flight", "Latency p95", "Searched", "Cache", "Degraded", "Dead letters"];
const OUTCOMES = { hit: "found", miss: "found nothing", timeout: "timed out" };
// Single posts a second are noise: the curve is the mean of as many seconds as the figure beside it.
const MEAN_S = 5;
const CIRCUIT = { closed: "answering", open: "left alone after failures" };

export class Pipeline {
  #pulse = null;
  #lag = null;
  #workers = null;
  #letters = [];
  #broker = null;
  #cells;

  constructor() {
    this.#cells = GAUGES.map((name) => {
      const parts = { value: h("span", { class: "value" }), unit: h("span", { class: "unit" }), note: h("p", { class: "note" }), curve: h("div", { class: "gauge-curve" }) };
      const cell = h("div", { class: "gauge", "data-gauge": name }, h("h3", {}, name), h("p", { class: "reading" }, parts.value, parts.unit), parts.note, name === GAUGES[0] ? parts.curve : null);
      say(parts.value, NONE);
      at("gauges").append(cell);
      return { cell, ...parts };
    });
    at("pipeline-body").append(
      h("section", { id: "part-model" }),
      h("section", { id: "part-workers" }),
      h("section", { id: "part-search" }),
      h("section", { id: "part-why" }),
      h("section", { id: "part-letters" }, h("h3", {}, "Dead letters"), h("ol", { class: "letters", id: "letters" }), h("p", { class: "none", id: "letters-none" }, "None.")),
    );
  }

  pulse(data) {
    this.#pulse = data;
    this.#draw();
  }

  lag(data) {
    this.#lag = data;
  }

  broker(data) {
    this.#broker = data;
    this.#draw();
  }

  workers(data) {
    this.#workers = data;
    this.#drawWorkers();
  }

  letters(data) {
    this.#letters = data.letters;
    at("letters-none").hidden = this.#letters.length > 0;
    keyed(at("letters"), this.#letters, (letter) => `${letter.place} ${letter.at}`, letterRow);
  }

  #set(index, value, unit, note, trouble = false) {
    const cell = this.#cells[index];
    say(cell.value, value);
    say(cell.unit, unit);
    say(cell.note, note);
    cell.cell.classList.toggle("trouble", trouble);
  }

  #draw() {
    const pulse = this.#pulse;
    if (!pulse) return;
    const { arrived, recognised, dead } = pulse;
    this.#set(0, count(arrived.per_s), "", `${count(recognised.per_s)} recognised`);
    this.#cells[0].curve.replaceChildren(
      curve([{ counts: means(arrived.series), name: "area" }, { counts: means(recognised.series), name: "line" }], { wide: 120, high: 30, label: "Posts a second over the last minute: arrived, and recognised" }),
    );
    const behind = this.#lag?.posts ?? null;
    const wait = waitingTime(behind, recognised.per_s);
    this.#set(1, count(behind), "", behind === null ? "no worker has begun" : wait ? `${wait} at this speed` : behind ? "standing still" : "up to date", Boolean(behind) && !wait);
    const flying = this.#workers?.workers.filter((worker) => !worker.trouble) ?? [];
    const running = flying.reduce((sum, worker) => sum + worker.running, 0);
    const done = flying.reduce((sum, worker) => sum + worker.finished, 0);
    this.#set(2, flying.length ? count(running) : NONE, "", flying.length ? `${count(done)} to be published` : "no worker asked");
    const [p95, unit] = duration(pulse.p95_ms);
    this.#set(3, p95, unit, pulse.p50_ms === null ? "over 5 minutes" : `median ${lasting(pulse.p50_ms)}`);
    this.#set(4, share(pulse.searched), pulse.searched === null ? "" : "%", pulse.queries === null ? "of the posts" : `${pulse.queries.toFixed(2)} queries a post`);
    this.#drawCache(flying);
    const worst = Object.entries(pulse.degraded_why)[0];
    this.#set(6, share(pulse.degraded), pulse.degraded === null ? "" : "%", worst ? `${plain(worst[0])} ${count(worst[1])}` : "none");
    const first = Object.entries(dead.why)[0];
    this.#set(7, count(dead.total), "", first ? `${plain(first[0])} ${count(first[1])}` : "none");
    this.#drawModel();
    this.#drawReasons();
  }

  #drawCache(workers) {
    const told = workers.map((worker) => worker.search).filter(Boolean);
    const lookups = told.reduce((sum, search) => sum + search.cache_lookups, 0);
    const known = told.reduce((sum, search) => sum + search.cache_known, 0);
    this.#set(5, lookups ? share(known / lookups) : NONE, lookups ? "%" : "", lookups ? `of ${plural(lookups, "look-up")}` : told.length ? "no look-up yet" : "no metrics");
  }

  #drawModel() {
    const models = this.#pulse.models;
    const broker = this.#broker;
    facts("part-model", [
      ["Broker", broker ? `${broker.address}${broker.state === "ok" ? "" : `, ${broker.state}`}` : NONE],
      ...models.map((model) => ["Model", `${model.name} · ${model.digest.slice(0, 19)}\n${plural(model.posts, "post")}`]),
      this.#lag ? ["Group", `${this.#lag.group} · ${plural(this.#lag.partitions, "partition")}`] : null,
    ]);
  }

  #drawWorkers() {
    const { asked, workers } = this.#workers;
    const rows = asked
      ? workers.map((worker) => [
          worker.kind || host(worker),
          worker.trouble ? `does not answer: ${worker.trouble}` : [[plain(worker.phase), plural(worker.partitions, "partition")].join(" · "), worker.kind ? host(worker) : null, worker.engine_trouble, worker.stopped_because].filter(Boolean).join("\n"),
          Boolean(worker.trouble || worker.engine_trouble || worker.stopped_because),
        ])
      : [["Workers", "none asked: name their health addresses in SAKE_CONSOLE_WORKERS"]];
    facts("part-workers", rows, "Workers");
    const providers = workers.flatMap((worker) => worker.search?.providers ?? []);
    facts("part-search", providers.map(providerRow), "Search");
    this.#draw();
  }

  #drawReasons() {
    const why = Object.entries(this.#pulse.degraded_why).map(([reason, posts]) => [plain(reason), plural(posts, "post")]);
    facts("part-why", why, "Degraded, last 5 minutes");
  }
}

const host = (worker) => worker.address.replace(/^https?:\/\//, "");

/** The mean of each second and those before it. */
function means(series) {
  return series.map((_, i) => {
    const last = series.slice(Math.max(0, i + 1 - MEAN_S), i + 1);
    return last.reduce((sum, count) => sum + count, 0) / last.length;
  });
}

function providerRow(provider) {
  const calls = Object.entries(provider.calls).sort((one, other) => other[1] - one[1]);
  const words = calls.map(([outcome, times]) => `${count(times)} ${OUTCOMES[outcome] || plain(outcome)}`);
  if (provider.counted) words.push(`${lasting((provider.seconds / provider.counted) * 1000)} a call`);
  if (provider.wait_s > 0) words.push(`next place in ${lasting(provider.wait_s * 1000)}`);
  if (provider.circuit) words.push(CIRCUIT[provider.circuit]);
  return [provider.name, words.join(" · "), provider.circuit === "open"];
}

function facts(id, rows, title) {
  const place = at(id);
  const told = JSON.stringify(rows);
  if (place.dataset.told === told) return;
  place.dataset.told = told;
  const list = rows.filter(Boolean).map(([name, value, trouble]) => h("div", { class: trouble ? "trouble" : null }, h("dt", { dir: "auto" }, name), h("dd", { dir: "auto" }, value)));
  place.replaceChildren(...(list.length ? [title ? h("h3", {}, title) : null, h("dl", { class: "facts" }, list)].filter(Boolean) : []));
}

function letterRow(letter) {
  return h(
    "li",
    {},
    h(
      "details",
      {},
      h("summary", {}, h("b", {}, plain(letter.reason)), h("bdi", { class: "key" }, letter.key)),
      h("p", { class: "snippet", dir: "auto" }, letter.message),
      h("pre", { dir: "auto" }, letter.value || "(empty)"),
      h("p", { class: "note" }, h("span", {}, `fault of the ${letter.fault}`), h("span", {}, `at ${letter.stage}`), h("span", {}, plural(letter.bytes, "byte")), h("span", {}, letter.place), h("span", {}, moment(letter.at))),
    ),
  );
}
