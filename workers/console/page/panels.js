// What is rising, and what the watch list found.

import { at, curve, h, keyed, say } from "./dom.js";
import { parts } from "./posts.js";
import { count, kind, length, lasting, plural, share, timeOfDay } from "./words.js";

export class Rising {
  #data = null;
  #length = null;

  /** `onFind(text)` looks for a name in the stream. */
  constructor({ onFind }) {
    this.onFind = onFind;
  }

  show(data) {
    this.#data = data;
    const lengths = data.windows.map((window) => window.length_s);
    if (!lengths.includes(this.#length)) this.#length = lengths[0] ?? null;
    keyed(
      at("lengths"),
      lengths,
      String,
      (seconds) => h("button", { type: "button", onclick: () => this.#choose(seconds) }, length(seconds)),
      (button, seconds) => button.setAttribute("aria-pressed", String(seconds === this.#length)),
    );
    const window = data.windows.find((each) => each.length_s === this.#length);
    const none = at("rising-none");
    none.hidden = Boolean(window?.names.length);
    if (window) say(none, "Nothing is mentioned more than usual.");
    keyed(at("names"), window ? window.names : [], (name) => `${name.type}\n${name.name}`, (name) => this.#row(name), (row, name) => update(row, name, this.#length));
  }

  #choose(seconds) {
    this.#length = seconds;
    this.show(this.#data);
  }

  #row(name) {
    const choose = () => this.onFind(name.name);
    return h(
      "li",
      { class: "rise" },
      h(
        "button",
        { type: "button", class: "rise-name", onclick: choose, title: "Look for it in the stream" },
        h("mark", { class: `name ${kind(name.type)}` }, h("bdi", {}, name.exact), h("span", { class: "tag" }, name.type)),
      ),
      h("span", { class: "rise-count" }),
      h("span", { class: "rise-note note" }),
      h("span", { class: "rise-curve" }),
    );
  }
}

function update(row, name, seconds) {
  const [, number, note, drawing] = row.children;
  row.classList.toggle("bursting", name.bursting);
  say(number, count(name.mentions));
  const words = [];
  if (name.bursting) words.push("burst");
  if (name.ratio) words.push(`${count(name.ratio)} × usual`);
  else words.push("new");
  if (name.grounded > 0) words.push(`${share(name.grounded)} % seen`);
  if (name.may_miss) words.push(`± ${count(name.may_miss)}`);
  keyed(note, words, String, (word) => h("span", { class: word === "burst" ? "burst" : null }, word));
  const told = name.curve.join(" ");
  if (drawing.dataset.told !== told) {
    drawing.dataset.told = told;
    drawing.replaceChildren(curve([{ counts: name.curve, name: "area" }], { wide: 120, high: 28, label: `Mentions in the last ${name.curve.length} windows of ${length(seconds)}` }));
  }
}

export class Watched {
  show({ mentions }) {
    at("mentions-none").hidden = mentions.length > 0;
    const posts = mentions.reduce((sum, mention) => sum + mention.posts, 0);
    say(at("watched-note"), mentions.length ? `${plural(mentions.length, "mention")} in ${plural(posts, "post")}` : "");
    keyed(at("mentions"), mentions, (mention) => `${mention.brand}\n${mention.id}\n${mention.entity.exact}`, make, renew);
  }
}

function make(mention) {
  const crop = mention.crop ? h("img", { class: "crop", src: mention.crop.src, width: mention.crop.width, height: mention.crop.height, alt: `${mention.brand} in the picture`, loading: "lazy" }) : null;
  return h(
    "li",
    { class: "mention" },
    crop,
    h(
      "div",
      {},
      h("p", { class: "mention-head" }, h("b", {}, mention.brand), h("span", { class: "folded" })),
      h("p", { class: "text", dir: "auto", lang: mention.lang || null }, parts(mention.parts, [mention.entity])),
      h("p", { class: "note" }),
    ),
  );
}

function renew(row, mention) {
  say(row.querySelector(".folded"), mention.posts > 1 ? `${count(mention.posts)} posts say the same` : "");
  const how = mention.matched_by === "name" || !mention.matched ? null : `${mention.matched_by} ${mention.matched}`;
  const quiet = mention.quiet_until && mention.quiet_until > Date.now() ? `quiet until ${timeOfDay(mention.quiet_until)}` : null;
  const sources = mention.entity.evidence.length ? `looked up in ${mention.entity.evidence[0].provider}` : null;
  keyed(row.querySelector(".note"), [timeOfDay(mention.at), mention.source, how, sources, quiet].filter(Boolean), String, (word) => h("span", { dir: "auto" }, word));
}

/** Lag in time: what is waiting, at the speed of now. */
export const waitingTime = (posts, perSecond) => (posts && perSecond > 0 ? lasting((posts / perSecond) * 1000) : null);
