// Success against compute: every split side by side, of one run or of several over one another.

class Success {
  #sources;
  #branches;
  #charts = new Map();
  #axis = null;
  #view = null;
  // Key of a branch and what is asked of it -> { of, points }: the entry of the board and what was made of it.
  #points = new Map();

  constructor(sources, branches) {
    this.#sources = sources;
    this.#branches = branches;
    this.section = document.getElementById("success");
    this.grid = document.getElementById("success-charts");
    this.axes = document.getElementById("success-axis");
    this.views = document.getElementById("success-measure");
    this.numbers = document.getElementById("success-numbers");
    this.legend = new Legend(document.getElementById("success-legend"), branches, () => this.#charts.values());
    this.views.addEventListener("change", () => {
      this.#view = this.views.value;
      this.draw();
    });
    this.numbers.addEventListener("toggle", () => this.draw());
    for (const { board } of sources) board.watch(["run", "success"], () => this.draw());
    branches.watch(() => this.draw());
  }

  get #heads() {
    return this.#sources.map(({ board }) => board.get("run", "head")).filter(Boolean);
  }

  draw() {
    const heads = this.#heads;
    if (heads.length === 0) return;
    const axes = this.#sharedAxes(heads);
    this.#axis = this.#axis in axes ? this.#axis : (heads[0].equal in axes ? heads[0].equal : Object.keys(axes)[0]);
    radios(this.axes, "success-axis", "Axis", axes, this.#axis, (value) => {
      this.#axis = value;
      this.draw();
    });
    this.#drawViews(heads);
    const splits = Success.splits(heads);
    this.#drawFrame(heads);
    if (this.#axis === undefined) {
      this.#drawEnds(heads[0], splits);
      return;
    }
    this.legend.draw();
    for (const [split, chart] of this.#charts) {
      if (splits.includes(split)) continue;
      chart.remove();
      this.#charts.delete(split);
    }
    for (const split of splits) this.#drawChart(split, heads, axes[this.#axis]);
    if (this.numbers.open) this.#drawNumbers(splits, axes[this.#axis]);
  }

  // Without an axis there are no lines, as of models that were given at one checkpoint each, and the table is all.
  // Several runs have a table of their own.
  #drawFrame([{ kind }]) {
    const lines = this.#axis !== undefined;
    if (kind !== "study") setText(this.section.querySelector("h2"), lines ? "Success along training" : "Success");
    for (const part of [this.grid, this.legend.parent, this.section.querySelector(".note")]) part.hidden = !lines;
    this.numbers.open ||= !lines;
    this.numbers.firstElementChild.hidden = !lines;
    this.section.hidden = !lines && this.#sources.length > 1;
  }

  // Home, then what is shifted, then the others.
  static splits(heads) {
    return [...new Set([...heads.map((head) => head.home), ...heads.flatMap((head) => head.shifted), ...heads.flatMap((head) => head.splits)])];
  }

  #sharedAxes([first, ...others]) {
    return Object.fromEntries(Object.entries(first.axes).filter(([axis]) => others.every((head) => axis in head.axes)));
  }

  #drawViews(heads) {
    const options = new Map([["", `primary: ${primary(heads[0], heads[0].shifted[0] ?? heads[0].home)?.label ?? ""}`]]);
    for (const { decoding, measure, label } of heads.flatMap((head) => head.views)) options.set(`${decoding}|${measure}`, label);
    const made = JSON.stringify([...options]);
    if (this.views.dataset.made === made) return;
    this.views.dataset.made = made;
    const chosen = this.views.value;
    this.views.replaceChildren(...[...options].map(([value, label]) => new Option(label, value)));
    this.views.value = options.has(chosen) ? chosen : "";
    this.#view = this.views.value;
  }

  #asked(head, split) {
    const own = head.views.filter((view) => view.split === split);
    if (!this.#view) return own.find((view) => view.primary) ?? null;
    return own.find((view) => `${view.decoding}|${view.measure}` === this.#view) ?? null;
  }

  #drawChart(split, heads, xLabel) {
    if (!this.#charts.has(split)) {
      const chart = new Chart(split, split);
      this.#charts.set(split, chart);
      this.grid.append(chart.figure);
    }
    const chart = this.#charts.get(split);
    const view = heads.map((head) => this.#asked(head, split)).find(Boolean);
    const share = !view || this.#isShare(view.measure);
    setText(chart.caption.firstElementChild, words.split(split, heads));
    const series = this.#branches.shown.map((branch) => this.#series(branch, split)).filter(Boolean);
    const far = Math.max(0, ...this.#branches.all.map((branch) => this.#points.get(this.#name(branch, split))?.points.at(-1)?.x ?? 0));
    const budget = heads.every((head) => head.equal === this.#axis) ? Math.max(0, ...heads.map((head) => head.budget ?? 0)) : 0;
    const levels = this.#sources.map((source) => this.#level(source, split, Math.max(far, budget))).filter(Boolean);
    const scale = share ? { ySpan: [0, 100], format: (value) => words.percent(value / 100) } : { ySpan: null, format: words.number };
    const detail = [view?.label, share ? "%" : ""].filter(Boolean).join(", ");
    chart.show([...levels, ...series], { xLabel, detail, xMax: budget || null, ...scale });
  }

  #name = (branch, split) => `${branch.key}|${split}|${this.#axis}|${this.#view}`;

  #entry(source, name, split) {
    const head = source.board.get("run", "head");
    const view = head && this.#asked(head, split);
    return view ? source.board.get("success", `${name}|${split}|${view.decoding}|${view.measure}`) : null;
  }

  // A series is made anew only where the board has a new entry, so that a chart knows what to draw again.
  #series(branch, split) {
    const entry = this.#entry(branch.source, branch.name, split);
    if (!entry?.[this.#axis]) return null;
    const origin = this.#entry(branch.source, branch.start, split);
    const name = this.#name(branch, split);
    const { key, label, colour, solid, faint, dash, marker, band } = branch;
    const style = JSON.stringify([label, colour, solid, dash, marker, band]);
    const known = this.#points.get(name);
    if (known?.entry === entry && known.origin === origin && known.style === style) return known.series;
    const points = entry.value.map((_, index) => this.#point(entry, index, entry[this.#axis][index]));
    const first = this.#first(branch, origin);
    if (first && points.length) points.unshift(first);
    const series = { key, group: key, label, colour, solid, faint, dash, marker, band, points };
    this.#points.set(name, { entry, origin, style, points, series });
    return series;
  }

  // Where the line of a branch begins: the checkpoint that it started from. The common start lies at 0.
  #first(branch, origin) {
    const index = origin?.fraction.findIndex((fraction) => fraction >= branch.startAt) ?? -1;
    if (index < 0) return null;
    const start = branch.source.board.get("run", "head").branches.find(({ part }) => part === "start");
    return this.#point(origin, index, branch.start === start?.name ? 0 : origin[this.#axis][index]);
  }

  #point({ measure, value, low, high }, index, x) {
    const scale = this.#isShare(measure) ? 100 : 1;
    const times = (number) => (number === null || number === undefined ? null : scale * number);
    return { x, y: times(value[index]), low: times(low[index]), high: times(high[index]) };
  }

  #isShare(measure) {
    return this.#heads.every((head) => head.measures[measure]?.share ?? true);
  }

  #level(source, split, far) {
    const start = source.board.get("run", "head")?.branches.find((branch) => branch.part === "start");
    const entry = start && this.#entry(source, start.name, split);
    const value = entry?.value.at(-1);
    if (value === null || value === undefined || far === 0) return null;
    const name = `level|${source.name}|${split}|${this.#axis}|${this.#view}|${far}`;
    const known = this.#points.get(name);
    if (known?.entry === entry) return known.series;
    const points = [0, far].map((x) => ({ ...this.#point(entry, entry.value.length - 1, x), low: null, high: null }));
    const series = { key: `level|${source.name}`, label: start.label, colour: "var(--ink)", solid: false, dash: "1 4", marker: null, level: true, points };
    this.#points.set(name, { entry, points, series });
    return series;
  }

  #drawNumbers(splits, xLabel) {
    const head = ["", words.first(xLabel), ...splits];
    const rows = this.#branches.shown.flatMap((branch) => {
      const found = splits.map((split) => this.#series(branch, split)?.points ?? []);
      const xs = [...new Set(found.flat().map((point) => point.x))].sort((a, b) => a - b);
      return xs.map((x) => {
        const values = found.map((points) => told(points.find((point) => point.x === x)));
        return [`${branch.key} ${x}`, [branch.label, words.number(x), ...values]];
      });
    });
    this.#fillNumbers(head, rows);
  }

  // Of one run: every model as it is, that before training too.
  #drawEnds({ branches }, splits) {
    const rows = branches.map(({ name, label }) => {
      const entries = splits.map((split) => this.#entry(this.#sources[0], name, split));
      return [name, [label, ...entries.map((entry) => told(entry && this.#point(entry, entry.value.length - 1, null)))]];
    });
    this.#fillNumbers(["", ...splits], rows);
  }

  #fillNumbers(head, rows) {
    const table = this.numbers.querySelector("table");
    table.tHead.rows[0].replaceChildren(...head.map((text) => Object.assign(element("th", text), { scope: "col" })));
    keepChildren(table.tBodies[0], rows, () => element("tr"), (row, cells) => {
      cells.forEach((text, index) => {
        if (!row.cells[index]) row.append(index ? element("td") : Object.assign(element("th"), { scope: "row" }));
        setText(row.cells[index], text);
      });
      while (row.cells.length > cells.length) row.lastElementChild.remove();
    });
  }
}

const told = (point) =>
  (point ? `${words.tenths(point.y)}${point.low === null ? "" : ` (${words.tenths(point.low)} to ${words.tenths(point.high)})`}` : "");

const primary = (head, split) => head.views.find((view) => view.split === split && view.primary) ?? null;
