// The stream of posts: a bounded list that can be held still while it is read.

import { at, h, say } from "./dom.js";
import { did, kind, lasting, missing, plain, plural, timeOfDay } from "./words.js";

// What nobody scrolls back to is let go. Posts that wait while the page is held are drawn all at once
// when it goes on: no more of them than a key may wait for.
const MAX_ROWS = 120;
const MAX_WAITING = 40;

export class Posts {
  #list = at("rows");
  #frame = at("stream");
  #waiting = [];
  #skipped = 0;
  #top = true;
  #cards = new Map();
  #chosen = null;
  paused = false;

  constructor({ onOpen, onChange }) {
    this.onOpen = onOpen;
    this.onChange = onChange;
    this.#list.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row && !event.target.closest("a") && getSelection().isCollapsed) this.open(row);
    });
    for (const scrolled of [this.#frame, window]) {
      scrolled.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    }
    at("newer").addEventListener("click", () => this.newest());
  }

  /** New posts, oldest first. */
  add(cards) {
    if (this.held) {
      this.#waiting.push(...cards);
      const tooMany = this.#waiting.length - MAX_WAITING;
      if (tooMany > 0) {
        this.#waiting.splice(0, tooMany);
        this.#skipped += tooMany;
      }
    } else {
      this.#show(cards);
    }
    this.#tell();
  }

  /** Forgets everything: another search, or another run of the console. */
  clear() {
    this.#waiting = [];
    this.#skipped = 0;
    this.#cards.clear();
    this.#chosen = null;
    this.#list.replaceChildren();
    this.#tell();
  }

  /** Whether new posts wait: it is paused, or somebody reads further down. */
  get held() {
    return this.paused || this.#chosen !== null || !this.#top;
  }

  get waiting() {
    return this.#waiting.length + this.#skipped;
  }

  pause(yes) {
    this.paused = yes;
    this.#release();
  }

  /** Lets go of the choice and goes to the newest. */
  newest() {
    this.choose(null);
    this.paused = false;
    this.#frame.scrollTop = 0;
    scrollTo(0, 0);
    this.#scrolled();
  }

  /** Chooses the next (1) or previous (-1) row. */
  step(by) {
    const rows = [...this.#list.children];
    const now = rows.indexOf(this.#chosen);
    const next = now < 0 ? rows[0] : rows[Math.min(rows.length - 1, Math.max(0, now + by))];
    if (next) this.choose(next);
    return next || null;
  }

  choose(row) {
    this.#chosen?.removeAttribute("aria-current");
    this.#chosen = row;
    if (row) {
      row.setAttribute("aria-current", "true");
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    } else {
      this.#release();
    }
    this.#tell();
  }

  open(row = this.#chosen) {
    if (!row) return;
    this.choose(row);
    const card = this.#cards.get(row.dataset.n);
    if (card) this.onOpen(card);
  }

  get chosen() {
    return this.#chosen;
  }

  // Kept, since asking costs a layout: on a desk the frame scrolls, on a phone the page.
  #scrolled() {
    this.#top = this.#frame.scrollTop < 24 && scrollY < 24;
    this.#release();
  }

  #release() {
    if (!this.held && this.#waiting.length) {
      const cards = this.#waiting;
      this.#waiting = [];
      this.#skipped = 0;
      this.#show(cards);
    }
    this.#tell();
  }

  #show(cards) {
    const rows = document.createDocumentFragment();
    for (const card of cards.slice(-MAX_ROWS).reverse()) {
      this.#cards.set(String(card.n), card);
      rows.append(row(card));
    }
    this.#list.prepend(rows);
    while (this.#list.children.length > MAX_ROWS) {
      const last = this.#list.lastElementChild;
      this.#cards.delete(last.dataset.n);
      last.remove();
    }
  }

  #tell() {
    const newer = at("newer");
    newer.hidden = this.waiting === 0;
    say(newer, `${plural(this.waiting, "newer post")}`);
    this.onChange();
  }

  get empty() {
    return this.#list.children.length === 0;
  }
}

function row(card) {
  return h(
    "li",
    { class: "row", tabindex: "-1", "data-n": card.n },
    h(
      "div",
      { class: "when" },
      h("time", { datetime: new Date(card.recognised_at).toISOString() }, timeOfDay(card.recognised_at)),
      card.source ? h("span", { class: "source", dir: "auto" }, card.source) : null,
    ),
    h("div", { class: "said" }, text(card), trail(card)),
    card.picture ? thumbnail(card) : null,
  );
}

/** The post's text with its entities marked; also without colour: by line and label. */
export function text(card) {
  if (card.parts === null) return h("p", { class: "text lost" }, "The text of this post is not at hand.");
  if (card.parts.every((part) => part === "")) return h("p", { class: "text lost" }, "No text.");
  return h("p", { class: "text", dir: "auto", lang: card.lang || null }, parts(card.parts, card.entities));
}

/** Text parts as the server cut them: strings, and [string, number of its entity]. */
export function parts(cut, entities) {
  return cut.map((part) => (typeof part === "string" ? part : mark(part[0], entities[part[1]], part[1])));
}

function mark(exact, entity, number) {
  const tag = h("span", { class: "tag" }, entity.fine || entity.type);
  return h("mark", { class: `name ${kind(entity.type)}`, "data-entity": number }, h("bdi", {}, exact), tag);
}

function trail(card) {
  const steps = card.rounds.map((round) => {
    const asked = round.queries.length > 0;
    return h(
      "span",
      { class: asked ? "step asked" : "step" },
      did(round),
      asked ? [" ", round.queries.map((query, i) => [i ? ", " : "", h("q", { dir: "auto" }, query)])].flat(2) : "",
      asked ? h("span", { class: "found" }, ` ${round.results} found`) : null,
    );
  });
  const why = card.rounds.find((round) => round.queries.length && round.reason);
  return [
    h(
      "p",
      { class: "trail" },
      steps,
      h("span", { class: "step took" }, lasting(card.ms.total)),
      card.outcome.map((reason) => h("span", { class: "step flaw" }, plain(reason))),
    ),
    why ? h("p", { class: "why", dir: "auto" }, why.reason) : null,
  ];
}

function thumbnail(card) {
  if (card.picture.missing) return h("p", { class: "picture gone" }, missing(card.picture.missing));
  const place = h("div", { class: "picture" }, framed(card, { named: false }));
  place.style.setProperty("--ratio", String(card.picture.width / card.picture.height));
  return place;
}

/** The picture with the boxes that were found. */
export function framed(card, { named }) {
  const { src, width, height } = card.picture;
  const seen = card.entities.filter((entity) => entity.box);
  const alt = seen.length ? `Picture; boxes around ${seen.map((entity) => entity.exact).join(", ")}` : "Picture";
  const image = h("img", { src, width, height, alt, loading: "lazy", decoding: "async" });
  const frame = h("div", { class: "framed" }, image);
  image.addEventListener("error", () => frame.replaceWith(h("p", { class: "picture gone" }, missing("not_at_hand"))));
  card.entities.forEach((entity, number) => {
    if (!entity.box) return;
    const [left, top, wide, high] = entity.box;
    const box = h("span", { class: `box ${kind(entity.type)}`, "data-entity": number }, named ? h("span", { class: "label" }, entity.exact) : null);
    box.style.left = `${left}%`;
    box.style.top = `${top}%`;
    box.style.width = `${wide}%`;
    box.style.height = `${high}%`;
    if (top < 9) box.classList.add("under");
    frame.append(box);
  });
  return frame;
}
