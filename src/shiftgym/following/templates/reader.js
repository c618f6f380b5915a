// Values of a chart under the pointer, or chosen by keys: left and right go along a line, up and down to another one.

class Reader {
  // So many lines are told beside the nearest one.
  static BESIDE = 6;

  #chart;
  #series = null;
  #index = 0;

  constructor(chart) {
    this.#chart = chart;
    this.box = element("div", "", "reading");
    this.box.hidden = true;
    this.box.setAttribute("aria-hidden", "true");
    const plot = chart.plot;
    plot.append(this.box);
    plot.tabIndex = 0;
    plot.setAttribute("role", "slider");
    plot.setAttribute("aria-orientation", "horizontal");
    plot.addEventListener("pointermove", (event) => this.#point(event));
    plot.addEventListener("pointerdown", (event) => this.#point(event));
    plot.addEventListener("pointerleave", () => document.activeElement === plot || this.#hide());
    plot.addEventListener("keydown", (event) => this.#key(event));
    plot.addEventListener("focus", () => plot.matches(":focus-visible") && this.#keep());
    plot.addEventListener("blur", () => this.#hide());
  }

  // The chart was drawn: what is told may have moved.
  update() {
    const { series } = this.#chart;
    this.#series = series.find((one) => one.key === this.#series?.key) ?? series.find((one) => !one.level) ?? null;
    this.#index = Math.max(0, Math.min(this.#index, (this.#series?.points.length ?? 0) - 1));
    const plot = this.#chart.plot;
    plot.setAttribute("aria-label", `${this.#chart.caption.firstElementChild.textContent}: values, chosen by arrow keys`);
    plot.setAttribute("aria-valuemin", "0");
    plot.setAttribute("aria-valuemax", String(Math.max(0, (this.#series?.points.length ?? 0) - 1)));
    this.#tell();
    if (!this.box.hidden) this.#show();
  }

  #keep() {
    if (this.#series) this.#show();
  }

  #point(event) {
    const { x, y } = this.#chart.scales;
    if (!x) return;
    const frame = this.#chart.plot.getBoundingClientRect();
    const [left, top] = [event.clientX - frame.left, event.clientY - frame.top];
    let best = Infinity;
    for (const series of this.#chart.series) {
      if (series.level) continue;
      series.points.forEach((point, index) => {
        // Along the axis counts more, since the pointer asks for a place on it.
        const distance = 2 * Math.abs(x.at(point.x) - left) + Math.abs(y.at(point.y) - top);
        if (distance < best) [best, this.#series, this.#index] = [distance, series, index];
      });
    }
    if (best < Infinity) this.#show();
    this.#tell();
  }

  #key(event) {
    const lines = this.#chart.series.filter((series) => !series.level);
    if (this.#series === null || lines.length === 0) return;
    const last = this.#series.points.length - 1;
    const steps = { ArrowLeft: this.#index - 1, ArrowRight: this.#index + 1, Home: 0, End: last };
    if (event.key in steps) this.#index = Math.max(0, Math.min(steps[event.key], last));
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.#other(lines, event.key === "ArrowUp" ? -1 : 1);
    else if (event.key === "Escape") return this.#hide();
    else return;
    event.preventDefault();
    this.#show();
    this.#tell();
  }

  #other(lines, step) {
    const x = this.#series.points[this.#index].x;
    this.#series = lines[(lines.indexOf(this.#series) + step + lines.length) % lines.length];
    this.#index = nearest(this.#series.points, x);
  }

  #tell() {
    const plot = this.#chart.plot;
    plot.setAttribute("aria-valuenow", String(this.#index));
    plot.setAttribute("aria-valuetext", this.#series?.points.length ? this.#text() : "no values yet");
  }

  #text() {
    const point = this.#series.points[this.#index];
    const { format, xLabel } = this.#chart.options;
    const limits = interval(point, format);
    return `${this.#series.label}, ${words.number(point.x)} ${xLabel}: ${format(point.y)}${limits && `, interval ${limits}`}`;
  }

  #show() {
    const { x, y } = this.#chart.scales;
    if (!x || !this.#series?.points.length) return this.#hide();
    const { format, xLabel } = this.#chart.options;
    const here = this.#series.points[this.#index];
    const beside = this.#chart.series
      .filter((series) => series !== this.#series && series.points.length && !series.level)
      .map((series) => ({ series, point: series.points[nearest(series.points, here.x)] }))
      .filter(({ point }) => Math.abs(x.at(point.x) - x.at(here.x)) < 12)
      .sort((a, b) => Math.abs(a.point.y - here.y) - Math.abs(b.point.y - here.y));
    const told = [{ series: this.#series, point: here }, ...beside.slice(0, Reader.BESIDE)];
    told.sort((a, b) => b.point.y - a.point.y);
    const rows = told.map(({ series, point }) => {
      const row = element("div", "", series === this.#series ? "here" : "");
      const swatch = element("i");
      swatch.style.background = series.colour;
      row.append(swatch, element("span", series.label), element("b", format(point.y)), element("small", interval(point, format)));
      return row;
    });
    const more = beside.length - Reader.BESIDE;
    this.box.replaceChildren(element("p", `${words.number(here.x)} ${xLabel}`), ...rows);
    if (more > 0) this.box.append(element("p", `and ${more} more`));
    const [left, top] = [x.at(here.x), y.at(here.y)];
    this.#chart.layers.cursor.replaceChildren(
      svgElement("line", { x1: left, x2: left, y1: y.from, y2: y.to }),
      svgElement("circle", { cx: left, cy: top, r: 5 }),
    );
    this.#chart.highlight(this.#series.group ?? this.#series.key);
    this.box.hidden = false;
    this.#place(left);
  }

  // Beside the cursor, on the side where the window has more room; over it where there is room on neither.
  #place(cursor) {
    const edge = this.#chart.plot.getBoundingClientRect().left;
    const window = document.documentElement.clientWidth;
    const width = this.box.offsetWidth;
    const wanted = edge + cursor < window / 2 ? cursor + 14 : cursor - 14 - width;
    this.box.style.left = `${Math.max(8 - edge, Math.min(wanted, window - 8 - width - edge))}px`;
  }

  #hide() {
    this.box.hidden = true;
    this.#chart.layers.cursor.replaceChildren();
    this.#chart.highlight(null);
  }
}

// The place of the point that lies nearest along the axis; points are sorted.
const nearest = (points, x) => {
  let best = 0;
  points.forEach((point, index) => {
    if (Math.abs(point.x - x) < Math.abs(points[best].x - x)) best = index;
  });
  return best;
};

// The interval of a point, if it has one.
const interval = ({ low, high }, format) => (low === null || low === undefined ? "" : `${format(low)} to ${format(high)}`);
