// Several runs over one another: the success of each, from its own table, and where each stands now.
{
  // Milliseconds between two looks at the runs, while the page is visible.
  const PAUSE = 5000;
  const names = [...document.querySelectorAll("#runs li")].map((item) => item.dataset.name);
  const sources = names.map((name) => ({ name, board: new Board() }));
  const branches = new Branches(sources);
  new Success(sources, branches);
  const ends = document.getElementById("ends");

  const drawEnds = () => {
    const heads = sources.map(({ board }) => board.get("run", "head")).filter(Boolean);
    const splits = Success.splits(heads);
    ends.tHead.rows[0].replaceChildren(...["branch", "run", ...splits].map((text) => Object.assign(element("th", text), { scope: "col" })));
    const rows = branches.all.map((branch) => {
      const head = branch.source.board.get("run", "head");
      const cells = splits.map((split) => {
        const view = primary(head, split);
        const entry = view && branch.source.board.get("success", `${branch.name}|${split}|${view.decoding}|${view.measure}`);
        return entry ? { value: words.percent(entry.value.at(-1)), limits: words.interval(entry.low.at(-1), entry.high.at(-1)) } : { value: "", limits: "" };
      });
      const label = head.branches.find(({ name }) => name === branch.name).label;
      return [branch.key, { label, run: branch.source.name, cells }];
    });
    keepChildren(ends.tBodies[0], rows, () => element("tr"), (row, { label, run, cells }) => {
      if (row.cells.length !== cells.length + 2) {
        row.replaceChildren(Object.assign(element("th"), { scope: "row" }), element("td"));
        for (const _ of cells) row.append(element("td"));
        for (const cell of [...row.cells].slice(2)) cell.append(element("b"), element("small"));
      }
      setText(row.cells[0], label);
      setText(row.cells[1], run);
      row.cells[1].dataset.head = "run";
      cells.forEach(({ value, limits }, index) => {
        const cell = row.cells[index + 2];
        cell.dataset.head = splits[index];
        setText(cell.firstElementChild, value);
        setText(cell.lastElementChild, limits);
      });
    });
  };

  const look = async () => {
    await Promise.all(sources.map(async ({ name, board }, index) => {
      const sign = document.querySelectorAll("#runs li .state")[index];
      try {
        const answer = await fetch(`run/${encodeURIComponent(name)}/board`);
        if (!answer.ok) throw new Error(String(answer.status));
        board.replace((await answer.json()).patch);
        const state = board.get("run", "state").state;
        sign.className = `state ${state}`;
        setText(sign, state);
      } catch {
        sign.className = "state failed";
        setText(sign, "cannot be read now");
      }
    }));
    drawEnds();
  };
  const again = async () => {
    if (!document.hidden) await look();
    setTimeout(again, PAUSE);
  };
  again();
}
