// The one connection: server-sent events, taken up again where it broke off.

const RETRY_MS = 3000;

/** Calls `on[event](data)` for every event, and `on.link(state)` when the connection changes. */
export class Stream {
  #source = null;
  #timer = 0;
  #find = "";
  #last = "";

  constructor(on) {
    this.on = on;
  }

  /** Opens the stream anew, with only the posts that are looked for. */
  open(find) {
    this.#find = find;
    this.#last = "";
    this.#connect();
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const query = new URLSearchParams();
    if (this.#find) query.set("find", this.#find);
    if (this.#last) query.set("after", this.#last);
    const source = new EventSource(`events?${query}`);
    this.#source = source;
    source.onopen = () => this.on.link("open");
    source.onerror = () => {
      this.on.link("closed");
      // The browser comes back by itself, unless the server said no (full, or a new token).
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#connect(), RETRY_MS);
    };
    for (const name of ["hello", "history", "posts", "pulse", "broker", "lag", "workers", "letters", "rising", "mentions"]) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) this.#last = event.lastEventId;
        this.on[name]?.(JSON.parse(event.data));
      });
    }
  }
}
