// Numbers, times and names as people write them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const NONE = "–";

/** 1,204; 3.4 below ten. */
export function count(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return value !== 0 && Math.abs(value) < 10 ? tenth.format(value) : whole.format(value);
}

/** 38 %; below one per cent with a decimal. */
export function share(value) {
  if (value === null || value === undefined) return NONE;
  const percent = value * 100;
  return percent > 0 && percent < 1 ? tenth.format(percent) : whole.format(percent);
}

/** [number, unit] of a time in milliseconds. */
export function duration(ms) {
  if (ms === null || ms === undefined) return [NONE, ""];
  if (ms < 1000) return [whole.format(ms), "ms"];
  if (ms < 60_000) return [tenth.format(ms / 1000), "s"];
  if (ms < 3_600_000) return [tenth.format(ms / 60_000), "min"];
  return [tenth.format(ms / 3_600_000), "h"];
}

/** The same in one word. */
export const lasting = (ms) => duration(ms).join(" ").trim();

/** 18:05:12, in the reader's own time zone. */
export const timeOfDay = (ms) => clock.format(new Date(ms));

/** 1 Jun 2026, 08:02:30. */
export const moment = (ms) => day.format(new Date(ms));

/** One or many: `plural(3, "post")`. */
export const plural = (number, noun) => `${whole.format(number)} ${noun}${number === 1 ? "" : "s"}`;

/** What a machine calls `no_picture`. */
export const plain = (name) => name.replaceAll("_", " ");

/** 1 min, 5 min, 1 h. */
export const length = (seconds) => lasting(seconds * 1000);

// Types look alike when they mean alike: GMNER's four, and those of FMNERG.
const KINDS = {
  __proto__: null, // a type may be called "constructor"
  per: "per", person: "per",
  loc: "loc", location: "loc", building: "loc",
  org: "org", organization: "org", organisation: "org",
};
export const KIND_NAMES = { per: "person", loc: "place", org: "organisation", other: "anything else" };

/** per, loc, org or other. */
export const kind = (type) => KINDS[type.toLowerCase()] || "other";

/** What a round did, in the past tense. */
export function did(round) {
  if (round.action === "text_search") return "looked up";
  if (round.action === "image_search") return "looked for pictures of";
  return round.action === "answer" ? "answered" : "could not be read";
}

/** Why there is no picture. */
const MISSING = { __proto__: null, not_at_hand: "picture no longer at hand", http_404: "picture gone (404)", blocked_address: "picture at a private address", not_an_image: "not an image", too_many_pixels: "picture too large", truncated: "picture cut off" };
export const missing = (reason) => MISSING[reason] || `no picture: ${plain(reason)}`;
