// The keyboard. Keys of the page never fight with those of the browser or of a field.

/** `actions` by key; each is called without arguments. */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target instanceof HTMLInputElement || event.target.isContentEditable;
    if (typing && event.key !== "Escape") return;
    if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
    const action = actions[event.key];
    if (action === undefined || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    action();
  });
}
