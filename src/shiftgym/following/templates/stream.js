// The server's events: patches of the board, and whether there is a server.

class Stream {
  // Milliseconds until a server that refused is asked again. A connection that broke is taken up by the browser itself.
  static AGAIN = 3000;

  #board;
  #source = null;
  #last = "";
  #server = "connected";
  #timer = null;

  constructor(board) {
    this.#board = board;
    this.sign = document.getElementById("connection");
    this.fault = document.getElementById("fault");
    board.watch(["run"], () => this.#showFault());
    // A browser opens few connections to one server, so a page that nobody sees holds none.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    this.#open();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    this.#close();
    const source = new EventSource(this.#last ? `events?${new URLSearchParams({ last: this.#last })}` : "events");
    this.#source = source;
    source.addEventListener("open", () => this.#show("connected"));
    source.addEventListener("patch", ({ data, lastEventId }) => {
      const { whole, patch } = JSON.parse(data);
      if (whole) this.#board.replace(patch);
      else this.#board.apply(patch);
      this.#last = lastEventId;
      this.#show("connected");
    });
    source.addEventListener("error", () => {
      this.#show("lost");
      if (source.readyState === EventSource.CLOSED) this.#timer = setTimeout(() => this.#open(), Stream.AGAIN);
    });
  }

  // The state is the server's. A run that has ended is told beside it, for it may be taken up again; without its server
  // nothing of it is missing.
  #show(server) {
    this.#server = server;
    const ended = ["done", "interrupted"].includes(this.#board.get("run", "state")?.state);
    const shown = ended ? "ended" : server;
    const text = { connected: "Connected", ended: "Ended", lost: "Lost the server; trying again" }[shown];
    this.sign.dataset.state = shown;
    setText(this.sign, ended && server === "lost" ? "Ended, and so has the server" : text);
  }

  #showFault() {
    const fault = this.#board.get("run", "fault");
    this.fault.hidden = fault === null;
    setText(this.fault, fault ?? "");
    this.#show(this.#server);
  }
}
