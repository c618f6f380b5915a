// How the run as a whole stands: one line, and the title of the page.

class Summary {
  #board;

  constructor(board) {
    this.#board = board;
    this.state = document.getElementById("state");
    this.title = document.getElementById("run-title");
    this.note = document.getElementById("run-note");
    this.bar = document.getElementById("whole");
    this.result = document.getElementById("result");
    this.name = document.title;
    board.watch(["run", "branches"], () => this.draw());
  }

  draw() {
    const head = this.#board.get("run", "head");
    const state = this.#board.get("run", "state");
    if (head === null || state === null) return;
    const fractions = [...this.#board.section("branches").values()].map((of) => (of.state === "done" || of.state === "stopped" ? 1 : of.fraction ?? 0));
    const done = fractions.reduce((sum, one) => sum + one, 0) / Math.max(1, fractions.length);
    setText(this.title, head.title);
    setText(this.note, head.note ?? "");
    this.note.hidden = !head.note;
    this.state.dataset.state = state.state;
    const failed = state.state === "done" && state.counts.failed;
    setText(this.state.firstElementChild, failed ? "Ended with failures" : words.first(state.state));
    setText(this.state.lastElementChild, this.#sentence(head, state));
    this.result.hidden = state.state !== "done";
    this.bar.style.setProperty("--done", String(state.state === "done" ? 1 : done));
    const percent = `${Math.floor(100 * done)} %`;
    document.title = state.state === "running" ? `${percent} · ${head.name}` : `${head.name}: ${state.state}`;
  }

  #sentence(head, { state, counts, seconds, left }) {
    const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
    const others = Object.entries(counts).filter(([name, number]) => name !== "done" && number).map(([name, number]) => `${number} ${name}`);
    const parts = [[`${counts.done ?? 0} of ${words.count(total, head.noun, head.nouns)} done`, ...others].join(", ")];
    if (seconds !== null) parts.push(state === "running" ? `${words.duration(seconds)} so far` : `took ${words.duration(seconds)}`);
    if (state === "running" && left !== null) parts.push(`about ${words.duration(left)} left`);
    const command = head.kind === "study" ? "shiftgym study resume" : "the same shiftgym compare with --out";
    if (state === "interrupted") parts.push(`the process that ran it has gone; ${command} goes on with this folder`);
    return `${parts.join("; ")}.`;
  }
}
