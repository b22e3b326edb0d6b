// The keyboard. Keys of the page never fight with those of the browser or of a field.

/**
 * `actions` by key; each is called without arguments. Keys of one character act only while `singleKeys()` says so:
 * who speaks to the machine, or hits keys by accident, turns them off (WCAG 2.1.4). Arrows move the choice
 * only where nothing else of the page has the focus: there they scroll.
 */
export function listen(actions, singleKeys) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target instanceof HTMLInputElement || event.target.isContentEditable;
    if (typing && event.key !== "Escape") return;
    if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
    if (event.key.length === 1 && !singleKeys()) return;
    if (event.key.startsWith("Arrow") && event.target !== document.body && !event.target.closest?.("#stream")) return;
    const action = actions[event.key];
    if (action === undefined || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    action();
  });
}
