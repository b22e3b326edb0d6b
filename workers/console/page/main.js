// Puts the page together: the stream on one side, its parts on the other.

import { Detail } from "./detail.js";
import { at, h, say } from "./dom.js";
import { listen } from "./keys.js";
import { Rising, Watched } from "./panels.js";
import { Pipeline } from "./pipeline.js";
import { Posts } from "./posts.js";
import { Stream } from "./stream.js";
import { KIND_NAMES, count } from "./words.js";

const VIEWS = ["stream", "rising", "watched", "pipeline"];
const THEMES = ["", "light", "dark"];
const THEME_NAMES = { "": "as the system", light: "light", dark: "dark" };

const detail = new Detail({ onClose: close });
const posts = new Posts({ onOpen: (card) => detail.show(card), onChange: tellState });
const pipeline = new Pipeline();
const rising = new Rising({ onFind: find });
const watched = new Watched();

let run = null;
let link = "connecting";
let broker = null;
let sample = null;

const stream = new Stream({
  link(state) {
    link = state;
    tellState();
  },
  hello(data) {
    if (run !== null && run !== data.run) posts.clear(); // another run numbers anew
    run = data.run;
  },
  history: (cards) => posts.add(cards),
  posts: (cards) => posts.add(cards),
  pulse(data) {
    sample = data.sample;
    pipeline.pulse(data);
    tellState();
  },
  broker(data) {
    broker = data;
    pipeline.broker(data);
    tellState();
  },
  lag: (data) => pipeline.lag(data),
  workers: (data) => pipeline.workers(data),
  letters: (data) => pipeline.letters(data),
  rising: (data) => rising.show(data),
  mentions: (data) => watched.show(data),
});

/** What the page knows of itself: the line on top, the notice, the empty list. */
function tellState() {
  const lost = link === "closed" ? "console" : broker && broker.state === "lost" ? "broker" : null;
  const state = lost ? "lost" : link !== "open" || !broker || broker.state !== "ok" ? "connecting" : posts.paused ? "paused" : posts.held ? "held" : "live";
  at("link").dataset.state = state;
  const words = { lost: lost === "broker" ? "broker lost" : "console lost", connecting: "connecting", paused: "paused", held: "held while you read", live: "live" };
  say(at("link-state"), words[state]);
  say(at("share"), state === "lost" ? "" : shareWords());
  const notice = at("notice");
  notice.hidden = lost === null;
  if (lost === "console") say(notice, "The console does not answer. This page comes back by itself when it does.");
  if (lost === "broker") say(notice, `The broker does not answer; the console asks again and again. What you see is from before. (${broker.why})`);
  at("empty").hidden = !posts.empty;
  const looking = at("find").value.trim();
  say(at("empty-title"), looking ? "No such post yet" : "Nothing has come yet");
  say(at("empty-why"), looking ? `The stream goes on being searched for “${looking}”.` : "The page fills by itself as soon as posts are recognised.");
  const pause = at("pause");
  say(pause, posts.paused ? "Go on" : "Pause");
  pause.setAttribute("aria-pressed", String(posts.paused));
}

function shareWords() {
  if (!sample || !(sample.of_per_s > 0.05)) return "";
  const of = count(sample.of_per_s);
  return sample.of_per_s - sample.shown_per_s < 0.5 ? `all ${of} a second` : `showing ${count(sample.shown_per_s)} of ${of} a second`;
}

function pause() {
  posts.pause(!posts.paused);
  say(at("spoken"), posts.paused ? "Paused" : "Going on");
  tellState();
}

/** One step back. Who closes by hand goes on watching; by keyboard one goes on from the row. */
function close(event) {
  if (detail.open) {
    detail.close();
    if (event?.detail > 0) posts.choose(null);
    else posts.chosen?.focus({ preventScroll: true });
  } else if (posts.chosen) {
    posts.choose(null);
  } else if (at("find").value || document.activeElement === at("find")) {
    at("find").blur();
    find("");
  }
}

function step(by) {
  view("stream");
  if (posts.step(by) && detail.open) posts.open();
}

let looking = "";
let typing = 0;

/** Looks for posts: from now on, and among those that the console still has. */
function find(text) {
  clearTimeout(typing);
  const field = at("find");
  if (field.value !== text) field.value = text;
  if (text.trim() === looking) return;
  looking = text.trim();
  detail.close();
  posts.clear();
  view("stream");
  stream.open(looking);
  tellState();
}

function view(name) {
  document.body.dataset.view = name;
  for (const tab of at("tabs").children) tab.setAttribute("aria-current", String(tab.dataset.view === name));
}

function jump(name) {
  view(name);
  const place = at(name);
  place.tabIndex = -1;
  place.focus({ preventScroll: false });
  scrollTo(0, 0); // on a phone the parts share one page: each begins at its top
}

function theme(next) {
  document.documentElement.dataset.theme = next;
  if (!next) delete document.documentElement.dataset.theme;
  at("theme").setAttribute("aria-label", `Theme: ${THEME_NAMES[next]}`);
  at("theme").title = `Theme: ${THEME_NAMES[next]}`;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Storage may be off: the choice then lasts as long as the page.
  }
}

function nextTheme() {
  const now = document.documentElement.dataset.theme || "";
  theme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
  say(at("spoken"), at("theme").title);
}

function storedTheme() {
  try {
    const stored = localStorage.getItem("theme");
    return THEMES.includes(stored) ? stored : "";
  } catch {
    return "";
  }
}

const SINGLE_KEYS = at("single-keys");

function storedSingleKeys() {
  try {
    return localStorage.getItem("single-keys") !== "off";
  } catch {
    return true;
  }
}

SINGLE_KEYS.checked = storedSingleKeys();
SINGLE_KEYS.addEventListener("change", () => {
  try {
    localStorage.setItem("single-keys", SINGLE_KEYS.checked ? "on" : "off");
  } catch {
    // Storage may be off: the choice then lasts as long as the page.
  }
});

at("pause").addEventListener("click", pause);
at("theme").addEventListener("click", nextTheme);
at("help").addEventListener("click", () => at("keys").showModal());
at("tabs").addEventListener("click", (event) => event.target.dataset.view && jump(event.target.dataset.view));
at("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => find(at("find").value), 250);
});
at("find").addEventListener("keydown", (event) => event.key === "Enter" && find(at("find").value));
at("legend").append(...Object.entries(KIND_NAMES).map(([kind, name]) => h("mark", { class: `name ${kind}` }, name, h("span", { class: "tag" }, kind.toUpperCase()))));

listen({
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Enter: () => posts.open(),
  o: () => posts.open(),
  Escape: () => close(),
  g() {
    detail.close();
    posts.newest();
  },
  p: pause,
  t: nextTheme,
  "/": () => at("find").focus(),
  "?": () => at("keys").showModal(),
  ...Object.fromEntries(VIEWS.map((name, index) => [String(index + 1), () => jump(name)])),
}, () => SINGLE_KEYS.checked);

theme(storedTheme());
tellState();
stream.open("");
