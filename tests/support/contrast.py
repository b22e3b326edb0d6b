"""What a page's texts look like on their grounds (WCAG 2.2, 1.4.3), computed inside the page."""

__all__ = ["CONTRAST"]

# Every visible text: its colour and the grounds behind it, blended; the ratio of their luminances.
CONTRAST = """() => {
  const numbers = (colour) => {
    const [a, b, c, alpha] = colour.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    const scale = colour.startsWith("color(srgb") ? 255 : 1;
    return [a * scale, b * scale, c * scale, alpha ?? 1];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const own = numbers(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(element.parentElement));
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const weak = [];
  let looked = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim();
    const element = texts.currentNode.parentElement;
    const seen = element.checkVisibility({ visibilityProperty: true });
    if (!text || !seen || element.closest(".unseen, .skip")) continue;
    looked += 1;
    const behind = ground(element);
    const ink = over(numbers(getComputedStyle(element).color), behind);
    const [dark, light] = [luminance(ink), luminance(behind)].sort((one, other) => one - other);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${element.className}: ${text.slice(0, 30)}`);
  }
  return { looked, weak };
}"""
