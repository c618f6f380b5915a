// Training curves: one chart a column of metrics.jsonl, one line a branch and seed.

class Curves {
  // A running mean is over this share of a line's points.
  static SMOOTH = 0.06;

  #board;
  #branches;
  #charts = new Map();
  #axis = null;
  // Title, column and axis -> { entry, style, series }: the entry of the board and what was made of it.
  #made = new Map();

  constructor(board, branches) {
    this.#board = board;
    this.#branches = branches;
    this.section = document.getElementById("curves");
    this.grid = document.getElementById("curves-charts");
    this.axes = document.getElementById("curves-axis");
    this.smooth = document.getElementById("curves-smooth");
    this.legend = new Legend(document.getElementById("curves-legend"), branches, () => this.#charts.values());
    this.smooth.addEventListener("change", () => this.draw());
    board.watch(["run", "curves"], () => this.draw());
    branches.watch(() => this.draw());
  }

  draw() {
    const head = this.#board.get("run", "head");
    if (head === null) return;
    const curves = this.#board.section("curves");
    this.section.hidden = curves.size === 0;
    const link = document.querySelector('.contents [href="#curves"]');
    if (link) link.hidden = this.section.hidden;
    const known = { step: "steps", ...head.axes };
    const first = curves.values().next().value?.columns ?? {};
    const axes = Object.fromEntries(Object.entries(known).filter(([axis]) => axis in first));
    this.#axis = this.#axis in axes ? this.#axis : (head.equal in axes ? head.equal : "step");
    radios(this.axes, "curves-axis", "Axis", axes, this.#axis, (value) => {
      this.#axis = value;
      this.draw();
    });
    this.legend.draw();
    const lines = this.#lines();
    for (const [column, { label, unit }] of Object.entries(head.curves)) this.#drawChart(column, label, unit, lines, axes[this.#axis]);
  }

  // A line for each seed of each branch that is shown.
  #lines() {
    const titles = new Map();
    for (const title of this.#board.section("curves").keys()) {
      const of = this.#board.get("branches", title);
      if (of !== null) titles.set(of.branch, [...(titles.get(of.branch) ?? []), { title, seed: of.seed }]);
    }
    return this.#branches.shown.flatMap((branch) => {
      const seeds = titles.get(branch.name) ?? [];
      return seeds.map(({ title, seed }) => ({ branch, title, label: seeds.length === 1 ? branch.label : `${branch.label}, seed ${seed}` }));
    });
  }

  #drawChart(column, label, unit, lines, xLabel) {
    const series = lines.map((line) => this.#series(line, column)).filter(Boolean);
    if (series.length && !this.#charts.has(column)) this.#insert(column, label);
    const chart = this.#charts.get(column);
    if (!chart) return;
    chart.figure.hidden = series.length === 0;
    const { equal, budget } = this.#board.get("run", "head");
    chart.show(series, { xLabel, detail: unit, xMax: this.#axis === equal ? budget : null });
  }

  #insert(column, label) {
    const chart = new Chart(column, words.first(label));
    const order = Object.keys(this.#board.get("run", "head").curves);
    const next = order.slice(order.indexOf(column) + 1).map((name) => this.#charts.get(name)).find(Boolean);
    this.#charts.set(column, chart);
    this.grid.insertBefore(chart.figure, next?.figure ?? null);
  }

  #series({ branch, title, label }, column) {
    const entry = this.#board.get("curves", title);
    const values = own(entry.columns, column);
    const xs = entry.columns[this.#axis];
    if (!values || !xs) return null;
    const { colour, solid, faint, dash } = branch;
    const style = JSON.stringify([label, colour, solid, dash, this.smooth.checked]);
    const name = `${title}|${column}|${this.#axis}`;
    const known = this.#made.get(name);
    if (known?.entry === entry && known.style === style) return known.series;
    const raw = values.map((y, index) => ({ x: xs[index], y })).filter(({ x, y }) => x !== null && y !== null);
    if (raw.length === 0) return null;
    const points = this.smooth.checked ? smoothed(raw, Math.round(raw.length * Curves.SMOOTH)) : raw;
    const marker = points.length === 1 ? 0 : null;
    const series = { key: title, group: branch.key, label, colour, solid, faint, dash, marker, band: false, points };
    this.#made.set(name, { entry, style, series });
    return series;
  }
}

// Each point as the mean of itself and of `half` points on either side, fewer at the ends.
const smoothed = (points, half) => {
  const sums = [0];
  for (const { y } of points) sums.push(sums.at(-1) + y);
  return points.map(({ x }, index) => {
    const reach = Math.min(half, index, points.length - 1 - index);
    return { x, y: (sums[index + reach + 1] - sums[index - reach]) / (2 * reach + 1) };
  });
};
