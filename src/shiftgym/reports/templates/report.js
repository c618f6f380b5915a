"use strict";
{
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const showTheme = () => {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-pressed", String(isDark()));
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  showTheme();
}

{
  // One compute axis at a time; without JavaScript both are shown.
  const inputs = document.querySelectorAll('input[name="axis"]');
  const choose = () => {
    const chosen = document.querySelector('input[name="axis"]:checked')?.value;
    for (const block of document.querySelectorAll("[data-axis]")) block.hidden = block.dataset.axis !== chosen;
  };
  for (const input of inputs) input.addEventListener("change", choose);
  choose();
}

{
  const { texts, episodes, maps, noun } = JSON.parse(document.getElementById("data").textContent);
  const words = (outcome) => outcome.replaceAll("_", " ");
  const firstOutcome = (e) => words(e[8][0][1][0][1]);
  const lastOutcome = (e) => words(e[8].at(-1)[1].at(-1)[1]);
  const fields = [
    [noun, (e) => e[0]],
    ["checkpoint", (e) => e[2]],
    ["split", (e) => e[3]],
    ["decoding", (e) => e[4]],
    ["seed", (e) => String(e[1])],
    ["first attempt", firstOutcome],
    ["last attempt", lastOutcome],
  ];
  const form = document.getElementById("filters");
  const list = document.getElementById("list");
  const more = document.getElementById("more");
  const count = document.getElementById("count");
  const PAGE = 10;
  let found = [];
  let shown = 0;

  const element = (tag, text = "", className = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const tag = (outcome, good) => element("span", words(outcome), `tag ${good ? "good" : "bad"}`);

  const valuesOf = (of) => [...new Set(episodes.map(of))];
  const several = fields.filter(([, of]) => valuesOf(of).length > 1);
  const told = (e, name) => several.filter(([field]) => field === name).map(([, of]) => of(e));
  const selects = several.map(([name, of]) => {
    const values = valuesOf(of);
    const number = (value) => Number(value.match(/[\d.]+/) ?? 0);
    if (name === "checkpoint") values.sort((a, b) => number(a) - number(b));
    const label = element("label", name);
    const select = element("select");
    select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
    select.addEventListener("change", filter);
    label.append(select);
    form.append(label);
    return [select, of];
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  function filter() {
    found = episodes.filter((e) => selects.every(([select, of]) => !select.value || of(e) === select.value));
    count.textContent = `${found.length} of ${episodes.length} episodes`;
    list.replaceChildren();
    shown = 0;
    show();
  }

  function show() {
    for (const e of found.slice(shown, shown + PAGE)) list.append(render(e));
    shown = Math.min(shown + PAGE, found.length);
    more.hidden = shown >= found.length;
  }

  // Text of a model only ever enters the page as textContent.
  function render(e) {
    const box = element("details", "", "episode");
    const summary = element("summary");
    const attempts = e[8].reduce((sum, decision) => sum + decision[1].length, 0);
    summary.append(
      tag(e[6] ? "solved" : "not solved", e[6]),
      ` ${e[3]} ${e[5]} `,
      element("span", [
        e[0], ...told(e, "checkpoint"), ...told(e, "seed").map((seed) => `seed ${seed}`), e[4],
        `${attempts} attempt${attempts > 1 ? "s" : ""}`, `reward ${e[7]}`,
      ].join(", "), "where"),
    );
    box.append(summary);
    box.addEventListener("toggle", () => box.childElementCount === 1 && box.append(...map(e), ...e[8].flatMap(decision)));
    return box;
  }

  // The drawing of the problem, with the decisions where the first answer was wrong.
  function map(e) {
    const drawing = maps[`${e[3]} ${e[5]}`];
    if (!drawing) return [];
    const box = element("div", "", "map");
    box.innerHTML = drawing;
    e[8].forEach(([, attempts], number) => {
      const spot = box.querySelector(`[data-decision="${number}"]`);
      if (spot && attempts[0][2] <= 0) spot.classList.add(attempts.at(-1)[2] > 0 ? "late" : "failed");
    });
    return [box];
  }

  function decision([prompt, attempts, pictures], number, all) {
    const name = all.length > 1 ? `Decision ${number + 1}` : "Prompt";
    // A long history only grows, so later prompts are folded away.
    const text = element("pre", texts[prompt]);
    const parts = [];
    if (number === 0) parts.push(element("p", name, "where"), text);
    else {
      const folded = element("details");
      folded.append(element("summary", name), text);
      parts.push(folded);
    }
    for (const picture of pictures) {
      const image = element("img", "", "picture");
      image.src = texts[picture];
      image.alt = "The picture that the prompt shows";
      parts.push(image);
    }
    attempts.forEach(([answer, outcome, reward, feedback, tokens, stop], index) => {
      const part = element("div", "", "attempt");
      const head = element("p");
      const ended = { length: ", cut off", too_long: ", too long for the model" }[stop] ?? "";
      head.append(`Attempt ${index + 1} `, tag(outcome, reward > 0), element("span", ` reward ${reward}, ${tokens} tokens${ended}`, "where"));
      part.append(head, element("pre", texts[answer]), element("p", `Verifier: ${texts[feedback]}`, "where"));
      parts.push(part);
    });
    return parts;
  }

  more.addEventListener("click", show);
  filter();
}
