// One post, looked at closely: picture, what was found, why it searched, what it found there.

import { at, h, outward } from "./dom.js";
import { framed, text } from "./posts.js";
import { did, kind, lasting, missing, moment, plain, plural } from "./words.js";

const KNOWLEDGE = { internal: "known to the model", text: "from a text search", image: "from an image search", "text+image": "from text and image searches" };

export class Detail {
  #place = at("detail");

  constructor({ onClose }) {
    this.onClose = onClose;
  }

  get open() {
    return !this.#place.hidden;
  }

  show(card) {
    const parts = [
      h(
        "header",
        { class: "detail-head" },
        h("h2", {}, "Post"),
        h("button", { type: "button", class: "quiet", "aria-keyshortcuts": "Escape", onclick: (event) => this.onClose(event) }, "Close"),
      ),
      picture(card),
      h("div", { class: "said" }, text(card), card.cut ? h("p", { class: "none" }, "The text is longer; this is its beginning.") : null),
      section("Found", found(card)),
      section("How", rounds(card)),
      section("Record", facts(card)),
    ];
    this.#place.replaceChildren(...parts.filter((part) => part !== null));
    this.#place.hidden = false;
    this.#place.scrollTop = 0;
    document.body.classList.add("detailed");
  }

  close() {
    this.#place.hidden = true;
    this.#place.replaceChildren();
    document.body.classList.remove("detailed");
  }
}

function section(title, ...content) {
  return h("section", {}, h("h3", {}, title), ...content);
}

function picture(card) {
  if (!card.picture) return null;
  if (card.picture.missing) return h("p", { class: "picture gone" }, missing(card.picture.missing));
  return h("div", { class: "picture large" }, framed(card, { named: true }));
}

function found(card) {
  if (!card.entities.length) return h("p", { class: "none" }, "No entity.");
  const items = card.entities.map((entity) =>
    h(
      "li",
      {},
      h(
        "p",
        { class: "entity" },
        h("mark", { class: `name ${kind(entity.type)}` }, h("bdi", {}, entity.exact), h("span", { class: "tag" }, entity.type)),
        entity.fine ? h("span", { class: "note" }, entity.fine) : null,
        h("span", { class: "note" }, KNOWLEDGE[entity.knowledge] || entity.knowledge, entity.box ? "" : card.picture && !card.picture.missing ? ", not in the picture" : ""),
      ),
      entity.evidence.length ? evidence(entity.evidence) : null,
    ),
  );
  const more = card.more_entities ? h("p", { class: "none" }, `and ${plural(card.more_entities, "more entity").replace("entitys", "entities")}`) : null;
  return [h("ol", { class: "entities" }, items), more];
}

function evidence(list) {
  return h(
    "ul",
    { class: "evidence" },
    list.map((each) =>
      h(
        "li",
        {},
        outward(each.url, { class: "title", dir: "auto" }, each.title || each.host || "untitled"),
        h("p", { class: "snippet", dir: "auto" }, each.snippet),
        h("p", { class: "note" }, h("span", {}, each.provider), each.host ? h("span", { class: "host" }, each.host) : null, h("span", {}, "for ", h("q", { dir: "auto" }, each.query))),
      ),
    ),
  );
}

function rounds(card) {
  return h(
    "ol",
    { class: "rounds" },
    card.rounds.map((round) =>
      h(
        "li",
        { class: round.queries.length ? "asked" : round.action },
        h("p", { class: "round-head" }, h("b", {}, did(round)), round.queries.map((query) => h("q", { dir: "auto" }, query))),
        round.reason ? h("p", { class: "why", dir: "auto" }, round.reason) : null,
        h(
          "p",
          { class: "note" },
          h("span", {}, `model ${lasting(round.engine_ms)}`),
          round.tokens ? h("span", {}, plural(round.tokens, "token")) : null,
          round.queries.length ? h("span", {}, `search ${lasting(round.search_ms)}`) : null,
          round.queries.length ? h("span", {}, plural(round.results, "result")) : null,
        ),
      ),
    ),
  );
}

function facts(card) {
  const spent = [
    ["picture", card.ms.picture],
    ["model", card.ms.engine],
    ["search", card.ms.search],
  ].filter(([, ms]) => ms > 0);
  const repairs = Object.entries(card.repairs).map(([name, times]) => (times > 1 ? `${plain(name)} × ${times}` : plain(name)));
  const rows = [
    ["Took", `${lasting(card.ms.total)}${spent.length ? ` (${spent.map(([name, ms]) => `${name} ${lasting(ms)}`).join(", ")})` : ""}`],
    ["Outcome", card.outcome.length ? `degraded: ${card.outcome.map(plain).join(", ")}` : "complete"],
    repairs.length ? ["Repaired", repairs.join(", ")] : null,
    card.created_at ? ["Posted", moment(card.created_at)] : null,
    ["Recognised", moment(card.recognised_at)],
    card.source ? ["Source", card.source] : null,
    card.lang ? ["Language", card.lang] : null,
    ["Id", card.id],
    ["Model", `${card.model} ${card.digest.slice(0, 19)}…`],
  ].filter(Boolean);
  return h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value))));
}
