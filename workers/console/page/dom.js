// Builds the page. Text only ever becomes text: there is no way from a string to markup in here.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("p", {class: "note"}, "text", child)`. Values that are null or false are left out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An element of the page by its id. */
export const at = (id) => document.getElementById(id);

/** Sets an element's text where it differs: no work, and no word to a screen reader, for nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Keeps `list`'s children equal to `items`: kept by key, made once, updated in place. A key may come twice. */
export function keyed(list, items, keyOf, make, update) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const used = new Map();
  items.forEach((item, index) => {
    const name = String(keyOf(item));
    const nth = (used.get(name) ?? 0) + 1;
    used.set(name, nth);
    const key = nth > 1 ? `${name}\u0001${nth}` : name;
    let child = known.get(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    }
    known.delete(key);
    if (update) update(child, item);
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] || null);
  });
  for (const child of known.values()) child.remove();
}

/** A link to where evidence was found, opened apart from us; plain text unless it is http(s). */
export function outward(url, attributes, ...children) {
  const safe = webAddress(url);
  if (safe === null) return h("span", attributes, ...children);
  return h("a", { ...attributes, href: safe, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

function webAddress(url) {
  try {
    const parsed = new URL(url);
    return parsed.protocol === "https:" || parsed.protocol === "http:" ? parsed.href : null;
  } catch {
    return null;
  }
}

/** A curve of counts, `wide` × `high` units; several on one scale. */
export function curve(series, { wide, high, label }) {
  const most = Math.max(1, ...series.flatMap((each) => each.counts));
  const drawing = s("svg", { class: "curve", viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  for (const { counts, name } of series) {
    const step = wide / Math.max(1, counts.length - 1);
    const points = counts.map((count, i) => `${(i * step).toFixed(1)},${(high - 1 - (count / most) * (high - 3)).toFixed(1)}`);
    if (name === "area") drawing.append(s("polygon", { class: "area", points: `0,${high} ${points.join(" ")} ${wide},${high}` }));
    drawing.append(s("polyline", { class: name, points: points.join(" "), "vector-effect": "non-scaling-stroke" }));
  }
  return drawing;
}
