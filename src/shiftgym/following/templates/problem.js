// What the problem of an episode shows: prompts, pictures and the drawing, once a problem.

class Problems {
  #board;
  #live;
  #asked = new Map();

  // `live`: a problem that the board lacks is asked of the server.
  constructor(board, live) {
    this.#board = board;
    this.#live = live;
  }

  // { prompts, pictures, map }; null if it cannot be had.
  async get(split, index) {
    const key = `${split}|${index}`;
    const known = this.#board.get("problems", key);
    if (known !== null || !this.#live) return known;
    if (!this.#asked.has(key)) this.#asked.set(key, this.#fetch(split, index));
    const found = await this.#asked.get(key);
    if (found === null) this.#asked.delete(key);
    return found;
  }

  async #fetch(split, index) {
    try {
      const answer = await fetch(`problem?${new URLSearchParams({ split, index })}`);
      return answer.ok ? await answer.json() : null;
    } catch {
      return null;
    }
  }
}

// A drawing made by the task, with the decisions where the first answer was wrong. Its own styles hold in it alone.
const drawing = (markup, decisions) => {
  const box = element("div", "", "map");
  // The policy of the page forbids styles in markup, already when it is parsed, so they are taken out before.
  const styles = [];
  const bare = markup.replace(/<style>([^]*?)<\/style>/g, (_, text) => (styles.push(text), "")).replace(/ style="[^"]*"/g, "");
  const parsed = new DOMParser().parseFromString(bare, "image/svg+xml").documentElement;
  if (parsed.tagName !== "svg") return box;
  const svg = document.importNode(parsed, true);
  svg.setAttribute("tabindex", "-1");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${styles.join("")} svg { width: 100%; height: auto; max-height: 80vh; display: block; }
    .late { stroke: var(--wrong); stroke-width: 4; fill: none; } .failed { fill: var(--wrong); }`);
  const root = box.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet];
  root.append(svg);
  decisions.forEach((attempts, number) => {
    const spot = svg.querySelector(`[data-decision="${number}"]`);
    if (spot && attempts[0][2] <= 0) spot.classList.add(attempts.at(-1)[2] > 0 ? "late" : "failed");
  });
  return box;
};
