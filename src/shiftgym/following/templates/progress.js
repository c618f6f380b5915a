// How every branch stands: a table that can be sorted, and filtered where it is long.

class Progress {
  // More rows than this can be filtered.
  static MANY = 16;
  static STATES = ["running", "failed", "interrupted", "waiting", "stopped", "skipped", "done"];

  #board;
  #sort = { column: null, down: false };
  #known = new Map();

  constructor(board) {
    this.#board = board;
    this.table = document.getElementById("progress-table");
    this.filters = document.getElementById("progress-filters");
    this.text = document.getElementById("progress-text");
    this.state = document.getElementById("progress-state");
    this.filters.addEventListener("input", () => this.draw());
    this.filters.addEventListener("submit", (event) => event.preventDefault());
    board.watch(["run", "branches", "logs"], () => {
      this.draw();
      this.#tell();
    });
  }

  draw() {
    const head = this.#board.get("run", "head");
    if (head === null) return;
    const columns = this.#columns(head);
    this.#drawHead(columns);
    const all = [...this.#board.section("branches")].map(([title, of]) => ({ title, of, label: this.#label(head, of) }));
    this.filters.hidden = all.length <= Progress.MANY;
    this.table.parentElement.classList.toggle("tall", all.length > Progress.MANY);
    this.#drawStates(all);
    const text = this.text.value.trim().toLowerCase();
    const found = all.filter(({ of, label, title }) =>
      (!this.state.value || of.state === this.state.value) && `${label} ${title}`.toLowerCase().includes(text));
    const by = columns.find((column) => column.key === this.#sort.column);
    if (by) found.sort((a, b) => compare(by.order(a), by.order(b), this.#sort.down));
    const rows = found.flatMap((row) => (row.of.log || row.of.message ? [[row.title, row], [`${row.title} log`, row]] : [[row.title, row]]));
    keepChildren(this.table.tBodies[0], rows, (key) => (key.endsWith(" log") ? this.#makeLog(columns) : element("tr")), (line, row) => {
      if (line.dataset.key.endsWith(" log")) this.#fillLog(line, row);
      else this.#fill(line, row, columns);
    });
  }

  #label(head, of) {
    const branch = head.branches.find((one) => one.name === of.branch);
    const label = branch?.label ?? of.branch;
    return head.seeds.length > 1 ? `${label}, seed ${of.seed}` : label;
  }

  #columns(head) {
    const shown = [head.home, ...head.shifted];
    return [
      { key: "label", head: head.noun, order: (row) => row.label, text: (row) => row.label },
      { key: "state", head: "state", order: (row) => Progress.STATES.indexOf(row.of.state), text: (row) => row.of.state },
      { key: "step", head: "step", order: (row) => row.of.step, text: ({ of }) => (of.step === null ? "" : of.step.toLocaleString("en")) },
      { key: "compute", head: head.kind === "study" ? "compute" : "answered", order: (row) => row.of.fraction, text: ({ of }) => `${Math.floor(100 * (of.fraction ?? 0))} %` },
      { key: "time", head: "time", order: (row) => row.of.seconds, text: ({ of }) => (of.seconds ? words.duration(of.seconds) : "") },
      { key: "left", head: "left", order: (row) => row.of.left, text: ({ of }) => (of.left === null || of.state !== "running" ? "" : `about ${words.duration(of.left)}`) },
      ...shown.map((split) => ({ key: split, head: words.split(split, [head]), order: (row) => own(row.of.last, split), text: ({ of }) => words.percent(own(of.last, split)) })),
    ];
  }

  #drawHead(columns) {
    const row = this.table.tHead.rows[0];
    keepChildren(row, columns.map((column) => [column.key, column]), (key) => {
      const cell = Object.assign(element("th"), { scope: "col" });
      const button = element("button");
      button.type = "button";
      button.addEventListener("click", () => {
        this.#sort = { column: key, down: this.#sort.column === key && !this.#sort.down };
        this.draw();
      });
      cell.append(button);
      return cell;
    }, (cell, column) => {
      setText(cell.firstElementChild, column.head);
      if (this.#sort.column === column.key) cell.setAttribute("aria-sort", this.#sort.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  }

  #drawStates(all) {
    const states = Progress.STATES.filter((state) => all.some(({ of }) => of.state === state));
    const chosen = this.state.value;
    if (this.state.options.length === states.length + 1 && states.every((state, index) => this.state.options[index + 1].value === state)) return;
    this.state.replaceChildren(new Option("all", ""), ...states.map((state) => new Option(state, state)));
    this.state.value = states.includes(chosen) ? chosen : "";
  }

  #fill(line, row, columns) {
    for (const [index, column] of columns.entries()) {
      if (!line.cells[index]) {
        const cell = index ? element("td") : Object.assign(element("th"), { scope: "row" });
        cell.dataset.column = column.key;
        cell.append(element("span"));
        if (column.key === "compute") cell.append(element("i", "", "bar"));
        line.append(cell);
      }
      const cell = line.cells[index];
      cell.dataset.head = column.head;
      setText(cell.firstElementChild, column.text(row));
      cell.classList.toggle("empty", cell.firstElementChild.textContent === "");
    }
    line.querySelector('[data-column="state"] span').className = `state ${row.of.state}`;
    line.querySelector(".bar").style.setProperty("--done", String(row.of.fraction ?? 0));
  }

  #makeLog(columns) {
    const line = element("tr", "", "log");
    const cell = element("td");
    cell.colSpan = columns.length;
    const box = element("details");
    box.append(element("summary"), element("pre"));
    box.lastElementChild.tabIndex = 0;
    cell.append(element("p"), box);
    line.append(cell);
    return line;
  }

  #fillLog(line, row) {
    const [message, box] = line.cells[0].children;
    setText(message, row.of.message ?? "");
    message.hidden = !row.of.message;
    const log = this.#board.get("logs", row.title);
    box.hidden = log === null;
    setText(box.firstElementChild, `Log of ${row.title}`);
    setText(box.lastElementChild, log ?? "");
  }

  // Say what changed state, and nothing of what was so when the page was opened.
  #tell() {
    const news = [];
    for (const [title, { state }] of this.#board.section("branches")) {
      if (this.#known.size && this.#known.get(title) !== state && state !== "waiting") news.push(`${title}: ${state}`);
    }
    this.#known = new Map([...this.#board.section("branches")].map(([title, { state }]) => [title, state]));
    if (news.length) tell(news.length > 5 ? `${news.length} changes of state` : news.join(", "));
  }
}

// Numbers by size and texts by the alphabet, upwards or downwards; what is missing comes last.
const compare = (a, b, down) => {
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
  if (b === null || b === undefined) return -1;
  const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return down ? -order : order;
};
