// @ts-check
// What the server says: server-sent events, and what happens when they stop.

/** @typedef {{now: number, recorder: "on" | "ended" | "gone", forgotten: number, complete: boolean}} Head the server's time, the recorder, connections that only the store has, and whether nothing is missing */
/** @typedef {{kind: "hello" | "update" | "snapshot", payload?: string, gone?: number[], head?: Head, dropped?: number}} Message */
/** @typedef {"live" | "reconnecting" | "refused"} FeedState */

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;

export class Feed {
  /** @param {string} last the id of what the page shows @param {(message: Message) => void} receive @param {(state: FeedState) => void} tell */
  constructor(last, receive, tell) {
    this.last = last;
    this.receive = receive;
    this.tell = tell;
    this.retry = FIRST_RETRY_MS;
    this.timer = 0;
    /** @type {EventSource | null} */
    this.source = null;
  }

  /** Goes on after the last event; without one, the server begins with everything. */
  connect() {
    this.close();
    const source = new EventSource(this.last === "" ? "/events" : `/events?after=${encodeURIComponent(this.last)}`);
    this.source = source;
    source.onopen = () => {
      this.retry = FIRST_RETRY_MS;
      this.tell("live");
    };
    source.onerror = () => {
      // The browser itself would try again, but with other pauses each, and not after an answer that is no stream.
      this.tell(source.readyState === EventSource.CLOSED ? "refused" : "reconnecting");
      this.close();
      this.timer = window.setTimeout(() => this.connect(), this.retry);
      this.retry = Math.min(LAST_RETRY_MS, this.retry * 2);
    };
    for (const kind of /** @type {const} */ (["hello", "update", "snapshot"])) {
      source.addEventListener(kind, (event) => {
        const { data, lastEventId } = /** @type {MessageEvent<string>} */ (event);
        this.last = lastEventId;
        this.receive({ ...JSON.parse(data), kind });
      });
    }
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  /** Asks for everything anew. */
  again() {
    this.last = "";
    this.connect();
  }
}
