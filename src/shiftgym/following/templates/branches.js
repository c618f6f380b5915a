// The branches of one or several runs: how each is drawn, and which of them are shown.

class Branches {
  // More than this many have no room for bands and colours of their own; reports/comparison.py has the same number.
  static MANY = 16;
  static COLOURS = 7;
  static DASHES = ["", "6 3", "2 3", "9 3 2 3"];

  #sources;
  #hidden = new Set();
  #watchers = [];
  // What was last made of the heads of the runs.
  #heads = [];
  #all = [];

  // `sources`: [{ name, board }]; a run that is shown alone has no name.
  constructor(sources) {
    this.#sources = sources;
  }

  // All branches but the start: { key, name, start, startAt, label, source, about, colour, solid, faint, dash, marker,
  // band }.
  get all() {
    const heads = this.#sources.map(({ board }) => board.get("run", "head"));
    if (heads.every((head, which) => head === this.#heads[which])) return this.#all;
    this.#heads = heads;
    const found = heads.flatMap((head, which) =>
      (head?.branches ?? []).filter((branch) => branch.part !== "start").map((branch) => ({ which, ...branch })));
    const numbers = new Map();
    for (const { label } of found) if (!numbers.has(label)) numbers.set(label, numbers.size);
    const crowded = found.length > Branches.MANY;
    this.#all = found.map((branch) => this.#drawn(branch, numbers.get(branch.label), crowded));
    return this.#all;
  }

  // How a branch is drawn; `number`: of its label among all labels.
  #drawn({ which, name, label, part, start, start_at: startAt }, number, crowded) {
    const source = this.#sources[which];
    const alone = this.#sources.length === 1;
    const about = part === "supervised" || part === "reinforced";
    const solid = crowded ? about : part !== "control";
    const faint = crowded && !about;
    return {
      key: `${which}|${name}`,
      name,
      start,
      startAt,
      source,
      about,
      solid,
      faint,
      label: alone ? label : `${label}, ${source.name}`,
      colour: faint ? "var(--muted)" : `var(--series-${number % Branches.COLOURS})`,
      dash: alone ? (solid || crowded ? "" : "5 3") : Branches.DASHES[which % Branches.DASHES.length],
      marker: faint ? null : number + Math.floor(number / Branches.COLOURS),
      band: !faint,
    };
  }

  get shown() {
    return this.all.filter((branch) => !this.#hidden.has(branch.key));
  }

  isShown(key) {
    return !this.#hidden.has(key);
  }

  watch(draw) {
    this.#watchers.push(draw);
  }

  // Hide exactly these.
  hide(keys) {
    this.#hidden = new Set(keys);
    for (const draw of this.#watchers) draw();
  }

  toggle(key) {
    this.hide(this.#hidden.has(key) ? [...this.#hidden].filter((one) => one !== key) : [...this.#hidden, key]);
  }
}

// Buttons that show and hide branches; the charts of one section follow the pointer and the focus over them.
class Legend {
  constructor(parent, branches, charts) {
    this.parent = parent;
    this.branches = branches;
    this.charts = charts;
    this.list = element("div", "", "keys");
    this.everything = element("button", "Show all", "small");
    this.about = element("button", "Only the compared", "small");
    for (const button of [this.everything, this.about]) button.type = "button";
    this.everything.addEventListener("click", () => branches.hide([]));
    this.about.addEventListener("click", () => branches.hide(branches.all.filter((branch) => !branch.about).map((branch) => branch.key)));
    parent.append(this.list, this.everything, this.about);
    branches.watch(() => this.draw());
  }

  draw() {
    const all = this.branches.all;
    keepChildren(this.list, all.map((branch) => [branch.key, branch]), (key) => this.#make(key), (button, branch) => {
      setText(button.lastElementChild, branch.label);
      button.firstElementChild.style.color = branch.colour;
      button.firstElementChild.className = branch.faint ? "faint" : branch.dash ? "thin" : "";
      button.setAttribute("aria-pressed", String(this.branches.isShown(branch.key)));
    });
    const about = all.filter((branch) => branch.about).length;
    this.everything.hidden = this.branches.shown.length === all.length;
    this.about.hidden = about === 0 || about === all.length;
  }

  #make(key) {
    const button = element("button");
    button.type = "button";
    button.append(element("i"), element("span"));
    button.addEventListener("click", () => this.branches.toggle(key));
    for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => this.#highlight(key));
    for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => this.#highlight(null));
    return button;
  }

  #highlight(key) {
    for (const chart of this.charts()) chart.highlight(key);
  }
}
