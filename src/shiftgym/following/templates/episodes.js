// Episodes: a few at a time, filtered; each can be opened to read all of it.

class Episodes {
  // So many more are shown at once.
  static PAGE = 10;

  #board;
  #problems;
  #live;
  #selects = new Map();
  #shown = [];
  #room = Episodes.PAGE;

  // `live`: the newest come first.
  constructor(board, problems, live) {
    this.#board = board;
    this.#problems = problems;
    this.#live = live;
    this.form = document.getElementById("filters");
    this.list = document.getElementById("list");
    this.more = document.getElementById("more");
    this.newer = document.getElementById("newer");
    this.count = document.getElementById("count");
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("change", () => {
      this.#room = Episodes.PAGE;
      this.#refresh();
      tell(this.count.textContent);
    });
    this.more.addEventListener("click", () => {
      this.#room += Episodes.PAGE;
      this.#show();
    });
    this.newer.addEventListener("click", () => {
      this.#refresh();
      this.list.querySelector("summary")?.focus();
    });
    board.watch(["run", "episodes"], () => this.draw());
  }

  // What came is shown at once, unless somebody is reading: an episode is open, or the focus is in the list.
  draw() {
    if (this.#board.get("run", "head") === null) return;
    this.#drawFilters();
    const reading = this.list.contains(document.activeElement) || this.list.querySelector("details[open]") !== null;
    if (!reading) return this.#refresh();
    const fresh = this.#found().length - this.#shown.filter(([key]) => this.#board.get("episodes", key)).length;
    this.newer.hidden = fresh <= 0;
    setText(this.newer, `Show ${words.count(fresh, "newer episode")}`);
    this.#drawCount();
  }

  get #fields() {
    const head = this.#board.get("run", "head");
    return {
      [head.noun]: (of) => this.#label(of.branch),
      checkpoint: (of) => of.checkpoint,
      split: (of) => of.split,
      decoding: (of) => of.decoding,
      seed: (of) => String(of.seed),
      "first attempt": (of) => words.name(of.decisions[0]?.[0]?.[1] ?? ""),
      "last attempt": (of) => words.name(of.decisions.at(-1)?.at(-1)?.[1] ?? ""),
    };
  }

  #label(name) {
    return this.#board.get("run", "head").branches.find((branch) => branch.name === name)?.label ?? name;
  }

  // What a field holds is chosen from only where there are several values.
  #drawFilters() {
    const all = [...this.#board.section("episodes").values()];
    for (const [name, of] of Object.entries(this.#fields)) {
      const values = [...new Set(all.map(of))];
      if (values.length < 2 && !this.#selects.has(name)) continue;
      if (!this.#selects.has(name)) this.#selects.set(name, this.#makeSelect(name));
      const select = this.#selects.get(name);
      const chosen = select.value;
      if (chosen && !values.includes(chosen)) values.push(chosen);
      values.sort((a, b) => (name === "checkpoint" ? firstNumber(a) - firstNumber(b) : 0));
      if (select.dataset.made === JSON.stringify(values)) continue;
      select.dataset.made = JSON.stringify(values);
      select.replaceChildren(new Option("all", ""), ...values.map((value) => new Option(value, value)));
      select.value = chosen;
    }
  }

  #makeSelect(name) {
    const label = element("label", name);
    const select = element("select");
    label.append(select);
    const order = Object.keys(this.#fields);
    label.dataset.key = name;
    const next = [...this.form.children].find((one) => order.indexOf(one.dataset.key) > order.indexOf(name));
    this.form.insertBefore(label, next ?? null);
    return select;
  }

  #found() {
    const fields = this.#fields;
    const wanted = [...this.#selects].filter(([, select]) => select.value);
    const found = [...this.#board.section("episodes")].filter(([, of]) => wanted.every(([name, select]) => fields[name](of) === select.value));
    return this.#live ? found.reverse() : found;
  }

  #refresh() {
    this.#shown = this.#found();
    this.newer.hidden = true;
    this.#drawCount();
    this.#show();
  }

  #drawCount() {
    const all = this.#board.section("episodes").size;
    setText(this.count, `${this.#found().length} of ${words.count(all, "episode")}`);
  }

  #show() {
    const entries = this.#shown.slice(0, this.#room);
    keepChildren(this.list, entries, (key, of) => this.#make(of), () => {});
    this.more.hidden = entries.length === this.#shown.length;
  }

  #make(of) {
    const box = element("details", "", "episode");
    const attempts = of.decisions.reduce((sum, decision) => sum + decision.length, 0);
    const told = [
      this.#label(of.branch), of.checkpoint === this.#label(of.branch) ? "" : of.checkpoint, this.#selects.has("seed") ? `seed ${of.seed}` : "", of.decoding,
      words.count(attempts, "attempt"), `reward ${words.number(of.reward)}`,
    ];
    const summary = element("summary");
    const place = element("span", told.filter(Boolean).join(", "), "where");
    summary.append(tag(of.success ? "solved" : "not solved", of.success), ` ${of.split} ${of.problem} `, place);
    box.append(summary);
    box.addEventListener("toggle", () => box.open && box.childElementCount === 1 && this.#open(box, of));
    return box;
  }

  async #open(box, of) {
    const body = element("div");
    body.append(element("p", "The problem is being fetched.", "where"));
    box.append(body);
    const problem = await this.#problems.get(of.split, of.problem);
    const parts = problem?.map ? [drawing(problem.map, of.decisions)] : [];
    if (problem === null) parts.push(element("p", "The problem's text cannot be had now; close and open the episode to try again.", "where"));
    of.decisions.forEach((attempts, number) => parts.push(...this.#decision(problem, attempts, number, of.decisions.length)));
    body.replaceChildren(...parts);
    if (problem === null) box.addEventListener("toggle", () => body.remove(), { once: true });
  }

  #decision(problem, attempts, number, decisions) {
    const parts = [];
    const name = decisions > 1 ? `Decision ${number + 1}` : "Prompt";
    const text = element("pre", problem?.prompts[number] ?? "");
    // A long history only grows, so later prompts are folded away.
    if (number === 0) parts.push(element("p", name, "where"), ...(problem ? [text] : []));
    else {
      const folded = element("details");
      folded.append(element("summary", name), text);
      parts.push(folded);
    }
    for (const source of problem?.pictures[number] ?? []) {
      parts.push(Object.assign(element("img", "", "picture"), { src: source, alt: "The picture that the prompt shows" }));
    }
    attempts.forEach(([answer, outcome, reward, feedback, tokens, stop], index) => {
      const ended = { length: ", cut off", too_long: ", too long for the model" }[stop] ?? "";
      const head = element("p");
      head.append(`Attempt ${index + 1} `, tag(words.name(outcome), reward > 0), element("span", ` reward ${words.number(reward)}, ${words.count(tokens, "token")}${ended}`, "where"));
      const part = element("div", "", "attempt");
      part.append(head, element("pre", answer), element("p", `Verifier: ${feedback}`, "where"));
      parts.push(part);
    });
    return parts;
  }
}

const tag = (text, good) => element("span", text, `tag ${good ? "good" : "bad"}`);

const firstNumber = (text) => Number(text.match(/[\d.]+/)?.[0] ?? 0);
