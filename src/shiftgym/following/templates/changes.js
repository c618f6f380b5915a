// How far every branch is from the start by now, at home and under each shift: what the report will judge by.

class Changes {
  #board;
  #branches;

  constructor(board, branches) {
    this.#board = board;
    this.#branches = branches;
    this.table = document.getElementById("changes");
    board.watch(["run", "changes"], () => this.draw());
  }

  draw() {
    const head = this.#board.get("run", "head");
    const changes = [...this.#board.section("changes").values()];
    this.table.parentElement.hidden = head === null || changes.length === 0;
    if (head === null || changes.length === 0) return;
    const splits = [head.home, ...head.shifted];
    const start = head.branches.find(({ part }) => part === "start");
    const views = head.views.filter(({ split, primary }) => primary && splits.includes(split));
    const labels = [...new Set(views.map(({ label }) => label))].join("; ");
    setText(this.table.caption, `Change from ${start.label} by now, in points with 95 % intervals: ${labels}. ▲ and ▼: the interval excludes zero.`);
    const heads = [head.noun, ...splits.map((split) => words.split(split, [head]))];
    keepChildren(this.table.tHead.rows[0], heads.map((text) => [text, text]), () => Object.assign(element("th"), { scope: "col" }), setText);
    keepChildren(this.table.tBodies[0], this.#rows.map((branch) => [branch.key, branch]), () => this.#make(splits), (row, branch) => {
      setText(row.cells[0], branch.label);
      splits.forEach((split, index) => {
        const change = changes.find((one) => one.branch === branch.name && one.split === split);
        this.#fill(row.cells[index + 1], change, head, heads[index + 1]);
      });
    });
  }

  // All branches; in a crowd those that the study is about.
  get #rows() {
    const about = this.#branches.all.filter((branch) => branch.about);
    return this.#branches.all.length > Branches.MANY && about.length > 0 ? about : this.#branches.all;
  }

  #make(splits) {
    const row = element("tr");
    row.append(Object.assign(element("th"), { scope: "row" }));
    for (const _ of splits) row.append(element("td"));
    return row;
  }

  #fill(cell, one, head, title) {
    cell.dataset.head = title;
    setText(cell, one ? this.#told(one, head) : "");
    const sign = !one || one.level !== null ? 0 : Number(one.low > 0) - Number(one.high < 0);
    cell.className = one ? ["down bad", "", "up good"][sign + 1] : "empty";
  }

  #told({ value, low, high, level, measure }, { measures }) {
    if (level !== null) return "no answer differs";
    const scale = measures[measure]?.share ?? true ? 100 : 1;
    return `${words.signed(scale * value)} [${words.signed(scale * low)}, ${words.signed(scale * high)}]${low > 0 ? " ▲" : high < 0 ? " ▼" : ""}`;
  }
}
